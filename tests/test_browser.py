"""The browser of the page's tests: found, proven, or named as what is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import browser

ROOT = Path(__file__).parent.parent
MISSING = "/no/such/browser"


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Programs that answer as a browser does, or do not."""
    monkeypatch.delenv(browser.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def write(name, script):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return write


def test_finds_first_browser_that_starts(program, monkeypatch, capsys):
    monkeypatch.setattr(browser, "INSTALLED", ("broken", "blank", "good", "better"))
    program("broken", "exit 1")
    program("blank", "echo '</script>0</body>'")
    good = program("good", "echo '</script>52</body>'")
    program("better", "echo '</script>52</body>'")
    assert browser.find_browser(MISSING) == good
    told = capsys.readouterr().err
    assert "broken does not start" in told
    assert "blank finds no font" in told


def test_prefers_named_browser_and_refuses_one_that_does_not_start(program, monkeypatch):
    monkeypatch.setattr(browser, "INSTALLED", ("good",))
    program("good", "echo '</script>52</body>'")
    named = program("named", "echo '</script>52</body>'")
    monkeypatch.setenv(browser.VARIABLE, named)
    assert browser.find_browser(MISSING) == named
    monkeypatch.setenv(browser.VARIABLE, MISSING)
    with pytest.raises(browser.NoBrowserError, match=f"names {MISSING}, which does not start"):
        browser.find_browser(MISSING)


def test_says_what_to_install_if_no_browser_starts(program, monkeypatch):
    monkeypatch.setattr(browser, "INSTALLED", ("nothing",))
    with pytest.raises(browser.NoBrowserError, match="apt-get install chromium") as raised:
        browser.find_browser(MISSING)
    assert "\n" not in str(raised.value)


def test_program_ends_with_one_sentence():
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "browser.py"],
        env={**os.environ, browser.VARIABLE: MISSING},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"{browser.VARIABLE} names {MISSING}, which does not start: name another, or unset it.\n"
    )


@pytest.mark.parametrize("target", ["test", "test-page"])
def test_make_looks_for_a_browser_before_it_runs_tests(target):
    done = subprocess.run(
        ["make", "--dry-run", "-o", ".venv/.test-ready", target],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=True,
    )
    steps = done.stdout
    assert 0 < steps.index("tests/browser.py") < steps.index("pytest")
