"""Text files as other programs save them: byte order marks, CRLF, UTF-16."""

import codecs
import io
import json
import os

import pytest

from memery import assembly
from memery.archive import Archive
from memery.config import Config, load_config
from memery.errors import ConfigError
from memery.models.clip.layouts.values import read_json, read_toml
from memery.testing import ColourModel, MemoryStore
from memery.text.files import read_text, text_lines
from support.commands import isolated_environment, run_command
from support.images import paint

MARK = codecs.BOM_UTF8


@pytest.mark.parametrize(
    "data",
    ["é".encode("utf-16"), "é".encode("utf-16-be"), b"\xe9t\xe9"],
    ids=["UTF-16", "UTF-16 without a mark", "Latin-1"],
)
def test_names_other_encodings(tmp_path, data):
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(ValueError, match="save it as UTF-8"):
        read_text(tmp_path / "file")
    with pytest.raises(ValueError, match="save it as UTF-8"):
        list(text_lines(io.BytesIO(data)))


def test_keeps_lines_as_they_are_written():
    lines = text_lines(io.BytesIO(MARK + b"red\r\n\r\n  blue \rgreen\nblack"))
    assert list(lines) == ["red", "blue", "green", "black"]


def load(folder):
    x = assembly.assemble(
        Archive(folder, folder / ".memery"), Config(), MemoryStore(), ColourModel()
    )
    return sorted(entry.path for entry in x.loader.load(x.encoder.space).new)


def test_reads_ignore_file_with_byte_order_mark(tmp_path):
    for name in ("a.png", "b.png", "c.png", os.fsdecode(b"d\xff.png")):
        paint(tmp_path / name, "red", (4, 4))
    (tmp_path / ".memeryignore").write_bytes(MARK + b"a.png\r\n# notes\r\nb.png\r\nd\xff.png\r\n")
    assert load(tmp_path) == ["c.png"]
    (tmp_path / ".memeryignore").write_text("a.png\n", encoding="utf-16")
    with pytest.raises(ConfigError, match=r"\.memeryignore .* save it as UTF-8"):
        load(tmp_path)


def test_reads_config_file_with_byte_order_mark(tmp_path, monkeypatch):
    file = tmp_path / "config.toml"
    monkeypatch.setenv("MEMERY_CONFIG", str(file))
    file.write_bytes(MARK + b"batch_size = 7\r\nworkers = 2\r\n")
    assert load_config().batch_size == 7
    file.write_text("batch_size = 7\n", encoding="utf-16")
    with pytest.raises(ConfigError, match=r"config\.toml .* save it as UTF-8"):
        load_config()


def test_reads_model_descriptions_with_byte_order_mark(tmp_path):
    (tmp_path / "config.json").write_bytes(MARK + b'{"dim": 4}')
    (tmp_path / "memery.toml").write_bytes(MARK + b"dim = 4\r\n")
    assert read_json(tmp_path / "config.json") == read_toml(tmp_path / "memery.toml") == {"dim": 4}


@pytest.mark.parametrize("source", ["queries.txt", "-"])
def test_reads_queries_with_byte_order_mark(tmp_path, source):
    (tmp_path / "photos").mkdir()
    paint(tmp_path / "photos" / "red.png", "red", (4, 4))
    (tmp_path / "queries.txt").write_bytes(MARK + b"red\r\n\r\ncaf\xc3\xa9\r\n")
    done = run_command(
        *("recall", "photos", "--queries-from", source),
        env=isolated_environment(tmp_path, PYTHONIOENCODING="ascii"),
        cwd=tmp_path,
        input=(tmp_path / "queries.txt").read_bytes(),
        text=False,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["query"][0]["text"] for answer in answers] == ["red", "café"]
