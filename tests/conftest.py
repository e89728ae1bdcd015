"""What all tests share: their environment, the command in process, and mounts."""

import contextlib
import io
import logging
import os
import signal
import subprocess
import sys
import warnings

import hypothesis
import pytest

from memery.__main__ import main
from memery.gateway.cli import console

pytest.register_assert_rewrite("stores.contract", "support")

# Tests that are not about text in pictures do not read any: the engine takes a second to load.
os.environ["MEMERY_READ_TEXT"] = "0"

# A shell's background job ignores SIGINT, and so would every command that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no failure: no example has to be done in a given time.
hypothesis.settings.register_profile("memery", deadline=None)
hypothesis.settings.load_profile("memery")


@pytest.fixture
def colours(monkeypatch, tmp_path):
    """The colour model by default, and nothing from this user's settings or cache."""
    monkeypatch.setenv("MEMERY_MODEL", "colours")
    monkeypatch.setenv("MEMERY_CONFIG", str(tmp_path / "no-config.toml"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def invoke(capfdbinary, monkeypatch):
    """Run `memery` in this process; gives bytes and an exit code, as `subprocess.run` does.

    A process costs half a second before it begins. Tests of signals, pipes, memory and of the
    start itself run the command as a process instead.
    """
    monkeypatch.setattr(console, "_exit_now", sys.exit)
    logger = logging.getLogger("memery")
    monkeypatch.setattr(logger, "handlers", logger.handlers)
    level = logger.level

    def invoke(words, *, cwd, env, input=b""):
        with monkeypatch.context() as patch, warnings.catch_warnings():
            patch.chdir(cwd)
            for name in os.environ.keys() - env.keys():
                patch.delenv(name)
            for name, value in env.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["memery", *map(os.fspath, words)])
            # Or help says `python -m pytest.memery` where pytest was started as a module.
            patch.setattr(sys.modules["__main__"], "__package__", None, raising=False)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(input)))
            capfdbinary.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
        printed = capfdbinary.readouterr()
        code = ended.value.code or 0
        return subprocess.CompletedProcess(words, code, printed.out, printed.err)

    yield invoke
    logger.setLevel(level)


@pytest.fixture(scope="session")
def mount_namespace(tmp_path_factory):
    """The start of a command that may mount what no other process sees.

    Containers often forbid it, also to root: the test is skipped there.
    """
    place = os.fspath(tmp_path_factory.mktemp("mount"))
    for ways in (["--map-root-user", "--mount"], ["--mount"]):
        command = ["unshare", *ways]
        with contextlib.suppress(OSError):
            probe = [*command, "mount", "-t", "tmpfs", "none", place]
            if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
                return command
    pytest.skip("this system lets this user mount nothing")
