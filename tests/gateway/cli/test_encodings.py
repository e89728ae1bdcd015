"""Terminals and pipes of any encoding: readable text, unharmed paths, no control characters."""

import json
import os
import pty
import subprocess

import pytest

from support.commands import isolated_environment, run_command, run_python, start_command
from support.images import paint

ODD, ESCAPE = b"odd\xff.png", b"red\x1b[31m\nmemery: forged.png"
NAMES = ("é.png".encode(), "\N{GRINNING FACE}.png".encode(), "猫.png".encode(), ODD, ESCAPE)
COLOURS = ("red", "green", "blue", "pink", "gray")
# All commands in one process, each in a child of it: starting Python takes most of the time.
PROGRAM = """
import json, os, sys
import memery.gateway.main, memery.gateway.cli.search_commands
from memery.__main__ import main
for words in json.loads(sys.argv[1]):
    sys.stdout.buffer.write(b"$ " + os.fsencode(words[0]) + b"\\n")
    sys.stdout.flush()
    child = os.fork()
    if not child:
        sys.argv = ["memery", *(os.fsdecode(word.encode()) for word in words)]
        main()
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    sys.stdout.buffer.write(b"--- %d\\n" % code)
    sys.stdout.flush()
"""
COMMANDS = [
    (["--help"], 0),
    (["build", "photos"], 0),
    (["build", "photos", "--format", "json"], 0),
    (["status", "photos"], 0),
    (["recall", "photos", "café", "--explain"], 0),
    (["recall", "photos", "red", "--format", "json"], 0),
    (["recall", "photos", "red", "--format", "paths"], 0),
    (["recall", "nirgendwö", "red"], 3),
    (["recall", "photos", "red", "--under", "é/\N{GRINNING FACE}"], 1),
    (["recall", "photos", "red", "--nonsense=é"], 2),
    (["similar", "photos", "photos/é.png"], 0),
    (["duplicates", "photos"], 0),
    (["models", "list"], 0),
    (["models", "info", "é"], 4),
    (["purge", "photos", "--yes"], 0),
]
SETTINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, colour in zip(NAMES, COLOURS, strict=True):
        paint(os.fsencode(folder) + b"/" + name, colour)
    (folder / "copy.png").write_bytes((folder / "é.png").read_bytes())
    (folder / "bad \x1b[31m é.png").write_text("words")
    return folder


def environment(tmp_path, **more):
    settings = isolated_environment(tmp_path)
    settings.pop("PYTHONIOENCODING", None)
    return settings | more


@pytest.mark.parametrize(
    "name",
    ["ascii", *(pytest.param(n, marks=pytest.mark.slow) for n in SETTINGS if n != "ascii")],
)
def test_every_command_prints_in_every_encoding(tmp_path, photos, name):
    words = json.dumps([words for words, _ in COMMANDS])
    done = run_python(
        *("-c", PROGRAM, words),
        env=environment(tmp_path, **SETTINGS[name]),
        cwd=tmp_path,
        stderr=subprocess.STDOUT,
        text=False,
    )
    assert b"Traceback" not in done.stdout
    codes = [int(line[4:]) for line in done.stdout.splitlines() if line.startswith(b"--- ")]
    assert codes == [code for _, code in COMMANDS], done.stdout.decode("latin-1")
    for raw in (ODD, ESCAPE, "猫.png".encode()):
        assert done.stdout.count(b"photos/" + raw + b"\n") == 1  # of --format paths, in a pipe
    assert b"photos/red\\x1b[31m\\nmemery: forged.png" in done.stdout
    assert done.stdout.count(b"\x1b") == 1


def test_prints_raw_paths_with_zero_bytes_in_every_encoding(tmp_path, photos):
    words = ["recall", "photos", "red", "--copies", "-n", "9", "--format", "paths0"]
    for name in ("ascii", "C locale"):
        settings = environment(tmp_path, **SETTINGS[name])
        done = run_command(*words, env=settings, cwd=tmp_path, text=False)
        expected = sorted(b"photos/" + name for name in (*NAMES, b"copy.png"))
        assert sorted(done.stdout.split(b"\0")[:-1]) == expected


def test_escapes_bytes_of_names_in_a_locale_without_their_characters(tmp_path, photos):
    settings = environment(tmp_path, **SETTINGS["C locale"])
    done = run_command("recall", "photos", "red", env=settings, cwd=tmp_path, text=False)
    assert rb"photos/\xe7\x8c\xab.png" in done.stdout
    assert rb"photos/odd\xff.png" in done.stdout
    missing = run_command("recall", "né", "red", check=3, env=settings, cwd=tmp_path, text=False)
    assert rb"n\xc3\xa9" in missing.stderr
    assert rb"\ud" not in done.stdout + done.stderr + missing.stderr


@pytest.mark.parametrize("query", ["ÉTÉ", "\N{GRINNING FACE}", "猫"])
def test_finds_names_in_a_locale_without_their_characters(tmp_path, photos, query):
    (photos / "é.png").rename(photos / "été.png")
    settings = environment(tmp_path, **SETTINGS["C locale"])
    words = ("recall", "photos", query, "--format", "paths")
    done = run_command(*words, env=settings, cwd=tmp_path, text=False)
    assert done.stdout.splitlines()[0] == f"photos/{query.lower()}.png".encode()


def on_terminal(tmp_path, *words):
    main, side = pty.openpty()
    with start_command(
        *words,
        env=environment(tmp_path, COLUMNS="40"),
        cwd=tmp_path,
        stdin=side,
        stdout=side,
        stderr=side,
    ) as child:
        os.close(side)
        printed = b""
        try:
            while chunk := os.read(main, 65536):
                printed += chunk
        except OSError:  # the other side has closed
            pass
        assert child.wait() == 0
    os.close(main)
    return printed.decode()


@pytest.mark.parametrize("format_", ["table", "paths"])
def test_terminal_gets_whole_paths_without_control_characters(tmp_path, photos, format_):
    folder = photos / ("a folder with a name of some length " * 3).strip()
    folder.mkdir()
    (photos / os.fsdecode(ESCAPE)).rename(folder / os.fsdecode(ESCAPE))
    run_command("build", "photos", "-q", env=environment(tmp_path), cwd=tmp_path)
    printed = on_terminal(tmp_path, "recall", "photos", "gray", "--no-index", "--format", format_)
    assert f"photos/{folder.name}/red\\x1b[31m\\nmemery: forged.png\r\n" in printed
    assert "\x1b[31m" not in printed
