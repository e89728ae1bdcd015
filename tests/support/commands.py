"""Run the `memery` command, or another Python program, as a separate process.

The fixture `invoke` runs the command within the process of the tests, which is quicker.
"""

import ctypes
import os
import subprocess
import sys

_DROP_FROM_BOUNDING_SET = 24  # prctl's PR_CAPBSET_DROP
_OVERRIDING = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


def isolated_environment(folder, **more):
    """Return the environment of a process that leaves this user's own files alone.

    Args:
        folder: what takes the cache; no configuration file lies in it.
        more: further variables.

    Returns:
        This process's environment with these variables. The model is `colours`, which is fast.
    """
    return os.environ | {
        "MEMERY_MODEL": "colours",
        "MEMERY_CONFIG": str(folder / "no-config.toml"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "NO_COLOR": "1",
        **more,
    }


def hub_environment(folder, url):
    """Return the environment of a user who has set nothing but the address of a model hub.

    Args:
        folder: what takes downloads, models, cache.
        url: address of the hub.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "MEM"))}
    return kept | {
        "HF_ENDPOINT": url,
        "HF_HOME": str(folder / "hf"),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "MEMERY_CONFIG": str(folder / "none.toml"),
        "NO_COLOR": "1",
    }


def assert_ended(done, check):
    """Fail where a process printed a traceback, or ended with another exit code.

    Args:
        done: a `CompletedProcess` with text or bytes.
        check: the expected exit code, a tuple of them, or None for any.
    """
    errors = done.stderr or ""
    errors = errors if isinstance(errors, str) else errors.decode(errors="replace")
    assert "Traceback" not in errors, errors
    expected = check if isinstance(check, tuple) else (check,)
    assert check is None or done.returncode in expected, (done.returncode, done.stdout, errors)


def run_process(command, *, check=0, **options):
    """Run a command to its end, and check how it ended (see `assert_ended`).

    Args:
        command: a program and its arguments.
        check: the expected exit code, a tuple of them, or None for any.
        options: of `subprocess.run`. Output is captured as text if they do not say otherwise.
    """
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    done = subprocess.run(list(map(os.fspath, command)), check=False, **options)
    assert_ended(done, check)
    return done


def run_python(*arguments, python=sys.executable, **options):
    """Run `python` with arguments to its end; options are those of `run_process`."""
    return run_process([python, *arguments], **options)


def run_command(*arguments, **options):
    """Run `memery` with arguments to its end; options are those of `run_python`."""
    return run_python("-m", "memery", *arguments, **options)


def start_command(*arguments, **options):
    """Start `memery` with arguments; options are those of `subprocess.Popen`."""
    return subprocess.Popen([sys.executable, "-m", "memery", *map(os.fspath, arguments)], **options)


def as_an_ordinary_user():
    """Give up root's power over permissions; for `preexec_fn`. Changes nothing for other users."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in _OVERRIDING:
            libc.prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0)
