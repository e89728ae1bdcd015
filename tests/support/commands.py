"""Run the `memery` command, or another Python program, as a process of its own.

The fixture `invoke` runs the command within the process of the tests, which is quicker.
"""

import os
import subprocess
import sys


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


def run_python(*arguments, check=0, python=sys.executable, **options):
    """Run a Python program to its end, and check how it ended (see `assert_ended`).

    Args:
        arguments: what follows `python` on the command line.
        check: the expected exit code, a tuple of them, or None for any.
        python: path of the interpreter.
        options: of `subprocess.run`. Output is captured as text if they do not say otherwise.
    """
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    done = subprocess.run([python, *map(os.fspath, arguments)], check=False, **options)
    assert_ended(done, check)
    return done


def run_command(*arguments, **options):
    """Run `memery` with arguments to its end; options are those of `run_python`."""
    return run_python("-m", "memery", *arguments, **options)


def start_command(*arguments, **options):
    """Start `memery` with arguments; options are those of `subprocess.Popen`."""
    return subprocess.Popen([sys.executable, "-m", "memery", *map(os.fspath, arguments)], **options)
