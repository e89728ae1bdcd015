// Runs before anything is painted, so that a chosen theme never flashes. Not a module for that reason.
(() => {
  try {
    const { theme } = JSON.parse(localStorage.getItem("memery") ?? "{}");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Then the system's wish holds.
  }
})();
