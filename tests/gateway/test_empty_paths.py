"""An empty path is refused wherever one can be given: `""` would mean the current folder."""

import pytest
from typer.testing import CliRunner

from memery import Memery, index_flow, query_flow
from memery.errors import ConfigError, FolderError
from memery.gateway.collections import Collections
from memery.gateway.main import app
from memery.gateway.maintenance import drop_model, purge
from memery.gateway.status import status

COMMANDS = (
    ("recall", "", "red"),
    ("similar", "", "red.png"),
    ("build", ""),
    ("status", ""),
    ("purge", "", "--yes"),
    ("duplicates", ""),
    ("serve", ""),
    ("serve", ".", ""),
    *((command, ".", *more, "--archive", "") for command, *more in (
        ("recall", "red"), ("similar", "red.png"), ("build",), ("status",), ("purge", "--yes"),
        ("duplicates",), ("serve",),
    )),
    ("recall", ".", "red", "--under", ""),
    ("recall", ".", "red", "--not-under="),
    ("similar", ".", "red.png", "--under", ""),
    ("duplicates", ".", "--under="),
    ("recall", ".", "red", "--copy-to", ""),
    ("similar", ".", "red.png", "--copy-to="),
    *((command, ".", *more, "--model", "") for command, *more in (
        ("recall", "red"), ("similar", "red.png"), ("build",), ("purge", "--yes"), ("duplicates",),
    )),
    *(("models", command, "") for command in ("info", "pull", "remove", "verify", "quantize")),
    ("models", "quantize", "clip-b32", "--images", ""),
    ("models", "export", "", "out"),
    ("models", "export", "checkpoint", ""),
    *(("serve", ".", f"{option}=", "--port=70000") for option in (
        "--token", "--host", "--allowed-host", "--forwarded-allow", "--cors-origin",
    )),
)  # fmt: skip


@pytest.fixture
def inside(photos, monkeypatch):
    """The current folder is one that has an archive."""
    monkeypatch.chdir(photos)
    index_flow(photos)
    return photos


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_reject_empty_path(inside, words):
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2, done.output
    assert "it is empty" in " ".join(done.output.split())
    assert (inside / ".memery" / "store.sqlite3").is_file()


@pytest.mark.parametrize(
    "use",
    [
        index_flow,
        Memery,
        status,
        purge,
        lambda path: query_flow(path, "red"),
        lambda path: drop_model(path, "colours"),
        lambda path: Collections([path]),
    ],
)
def test_library_rejects_empty_path(inside, use):
    with pytest.raises(FolderError, match="is empty"):
        use("")
    assert (inside / ".memery" / "store.sqlite3").is_file()


def test_settings_reject_empty_path(inside, monkeypatch, tmp_path):
    for name in ("archive", "model", "store"):
        with pytest.raises(ConfigError, match=f"{name} is empty"):
            Memery(inside, **{name: ""})
    file = tmp_path / "config.toml"
    monkeypatch.setenv("MEMERY_CONFIG", str(file))
    file.write_text('archive = ""\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="empty"):
        index_flow(inside)
