// Sets the chosen theme before the first paint. A module would run too late.
(() => {
  try {
    const { theme } = JSON.parse(localStorage.getItem("memery") ?? "{}");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Without storage, the system's theme is used.
  }
})();
