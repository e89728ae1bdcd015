"""Find a browser for the page's tests, and install one where there is none.

`python tests/browser.py` prints the browser's path, or exits with what to install.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

VARIABLE = "MEMERY_TEST_BROWSER"
MACOS = "Contents/MacOS"
INSTALLED = (
    *("google-chrome", "google-chrome-stable", "/opt/google/chrome/chrome"),
    *("chromium", "chromium-browser", "/snap/bin/chromium"),
    *("microsoft-edge", "microsoft-edge-stable", "/opt/microsoft/msedge/msedge"),
    f"/Applications/Google Chrome.app/{MACOS}/Google Chrome",
    f"/Applications/Chromium.app/{MACOS}/Chromium",
    f"/Applications/Microsoft Edge.app/{MACOS}/Microsoft Edge",
)
"""Commands and programs, the first choice first."""
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    # It asks its maker all the same, when it starts and for forms: no name but this machine's own
    # is looked up.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]
"""Command-line arguments of each browser under test; root and containers have no sandbox."""
_PAGE = (
    "data:text/html,<span>memery</span>"
    "<script>document.write(document.querySelector('span').offsetWidth)</script>"
)
_START_SECONDS = 60
_INSTALL_SECONDS = 900


def browser_environment(folder: str) -> dict[str, str]:
    """Environment variables under which a browser keeps its files in a folder, not in the home."""
    places = ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
    return {**os.environ, **dict.fromkeys(places, folder)}


class NoBrowserError(Exception):
    """No browser starts. The message says what to install."""


def find_browser(own: str) -> str:
    """The first browser that starts: `MEMERY_TEST_BROWSER`, Playwright's, or an installed one.

    Args:
        own: The path at which Playwright keeps its browser; the file need not exist.

    Raises:
        NoBrowserError: None starts.
    """
    if named := os.environ.get(VARIABLE):
        if fault := _fault(named):
            raise NoBrowserError(
                f"{VARIABLE} names {named}, which {fault}: name another, or unset it."
            )
        return named
    for candidate in (own, *INSTALLED):
        if path := shutil.which(candidate):
            if fault := _fault(path):
                _say(f"Looking for a browser: {path} {fault}")
            else:
                return path
    raise NoBrowserError(
        "No browser for the web page's tests: install Google Chrome, Chromium or Microsoft Edge "
        "(on Debian: sudo apt-get install chromium fonts-liberation), "
        f"or set {VARIABLE} to the path of one."
    )


def _fault(path: str) -> str | None:
    """What is wrong with a browser, as the end of a sentence; None if it renders text."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [path, "--headless", *FLAGS, f"--user-data-dir={profile}", "--dump-dom", _PAGE]
        status, output = _run(command, _START_SECONDS, **browser_environment(profile))
    width = re.search(r"</script>(\d+)", output)
    if status or not width:
        return "does not start"
    return None if int(width[1]) else "finds no font"


def _run(command: list[str], seconds: float, **environment: str) -> tuple[int, str]:
    """Exit status and output. A command that does not end in time is stopped: its status is -9."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, **environment},
            start_new_session=True,
        )
    except OSError as error:
        return 1, str(error)
    output = ""
    with process:
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:
            if process.poll() is None:  # its children too: they hold the pipe open
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, output


def _installations(own: str) -> Iterator[tuple[str, list[list[str]]]]:
    """What to try, in order: its name, and its commands."""
    playwright = [sys.executable, "-m", "playwright"]
    yield (
        "Playwright's Chromium (a download of about 170 MB)",
        [[*playwright, "install", "--no-shell", "chromium"]],
    )
    if shutil.which("apt-get") and os.geteuid() == 0:
        if Path(own).exists():
            yield (
                "the libraries of Playwright's Chromium",
                [[*playwright, "install-deps", "chromium"]],
            )
        apt = ["apt-get", "-qq", "--yes", "-o", "DPkg::Lock::Timeout=120"]
        packages = ["--no-install-recommends", "chromium", "fonts-liberation"]
        yield "the package chromium", [[*apt, "update"], [*apt, "install", *packages]]


def _install(own: str) -> str:
    """Install a browser that starts, and return its path.

    Raises:
        NoBrowserError: None could be installed.
    """
    for name, commands in _installations(own):
        _say(f"Installing {name}")
        for command in commands:
            status, output = _run(command, _INSTALL_SECONDS, DEBIAN_FRONTEND="noninteractive")
        if status:
            reasons = [line for line in output.splitlines() if line.startswith(("E: ", "Error: "))]
            _say(f"Installing failed: {reasons[-1] if reasons else f'exit status {status}'}")
            continue
        with suppress(NoBrowserError):
            return find_browser(own)
    return find_browser(own)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Find a browser or install one, and print its path."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    try:
        try:
            path = find_browser(own)
        except NoBrowserError:
            if os.environ.get(VARIABLE):
                raise
            path = _install(own)
    except NoBrowserError as error:
        sys.exit(str(error))
    _say(f"Looking for a browser: {path}")
    print(path)


if __name__ == "__main__":
    main()
