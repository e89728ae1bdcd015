"""The documentation is true: every console session, every piece of Python, every link is tried."""

import dataclasses
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from memery.config import Config, load_config
from support.output import QUANTIZED, assert_output
from support.servers.memery import serving

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "memery"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
SERVED = "http://127.0.0.1:7890"
README = ROOT / "README.md"
COMMAND_LINE = ROOT / "docs" / "command-line.md"
CONFIGURATION = ROOT / "docs" / "configuration.md"
PHOTOS = (
    *("chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg", "motorcycle_left.png"),
    "coins.png",
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    spec = importlib.util.find_spec("skimage")
    data = Path(spec.submodule_search_locations[0]) / "data"
    (tmp_path / "photos").mkdir()
    for name in PHOTOS:
        shutil.copy(data / name, tmp_path / "photos")
        os.utime(tmp_path / "photos" / name, (1_700_000_000, 1_700_000_000))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEMERY_CONFIG", str(tmp_path / "no-config.toml"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.delenv("MEMERY_MODEL", raising=False)
    return tmp_path


def blocks(page, language):
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def normalised(output):
    """Without what differs from run to run, and without the image that is least unlike a cat."""
    output = re.sub(r'"took_ms": \{[^}]*\}', '"took_ms": {}', output)
    output = re.sub(r'"id": "[^"]*"', '"id": ""', output)
    output = re.sub(r"(?m)^   2 .*$", "   2", output)
    return re.sub(r"\S*/(photos/\.memery)", r"\1", output).strip()


def run_sessions(page):
    """Run each command of a page's console sessions and compare its output; count them."""
    commands = 0
    for block in blocks(page, "console"):
        for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            done = subprocess.run(
                command,
                shell=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            assert_output(normalised(done.stdout), normalised(expected), **QUANTIZED)
            commands += 1
    return commands


def test_readme_session_shows_what_the_commands_print(folder, monkeypatch):
    """After `make demo`, which has no OCR engine and indexes its photographs."""
    monkeypatch.setenv("MEMERY_READ_TEXT", "false")
    spec = importlib.util.spec_from_file_location("demo", ROOT / "examples" / "demo.py")
    demo = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "demo", demo)
    spec.loader.exec_module(demo)
    demo.copy_photos(Path("demo", "photos"))
    subprocess.run(["memery", "build", "--quiet", "demo/photos"], check=True)
    assert run_sessions(README) == 6


@pytest.mark.slow
def test_command_line_sessions_show_what_the_commands_print(folder):
    assert run_sessions(COMMAND_LINE) == 11


def test_configuration_lists_every_setting(folder, monkeypatch):
    text = CONFIGURATION.read_text(encoding="utf-8")
    for field in dataclasses.fields(Config):
        assert f"| `{field.name}` | `MEMERY_{field.name.upper()}` |" in text
    (example,) = blocks(CONFIGURATION, "toml")
    Path("config.toml").write_text(example, encoding="utf-8")
    monkeypatch.setenv("MEMERY_CONFIG", "config.toml")
    assert (load_config().model, load_config().workers) == ("clip-b32", 2)


@pytest.mark.skipif(shutil.which("curl") is None, reason="docs/rest.md is tried with curl")
def test_rest_sessions_show_what_the_commands_print(folder, monkeypatch):
    """Every command and the client of docs/rest.md, on a server; `…` stands for anything."""
    page = ROOT / "docs" / "rest.md"
    with serving("photos") as server:
        server.wait_until_indexed()
        commands = 0
        for block in blocks(page, "console"):
            for command, expected in re.findall(
                r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE
            ):
                done = subprocess.run(
                    command.replace(SERVED, server.url),
                    shell=True,
                    capture_output=True,
                    text=True,
                    check=True,
                )
                pattern = ".*".join(re.escape(part) for part in expected.strip().split("…"))
                assert re.fullmatch(pattern, done.stdout.strip(), re.DOTALL), command
                commands += 1
        assert commands == 9
        (client,) = blocks(page, "python")
        exec(compile(client.replace(SERVED, server.url), page.name, "exec"), {})
    assert (folder / "vectors.npy").stat().st_size > 2 * 512 * 4


@pytest.mark.parametrize(
    "document", [page for page in PAGES if page.name != "rest.md"], ids=lambda page: page.name
)
def test_python_examples_run(folder, document):
    names = {"__name__": "docs"}
    for number, block in enumerate(blocks(document, "python")):
        exec(compile(block, f"{document.name}[{number}]", "exec"), names)


@pytest.mark.parametrize("document", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(document):
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (document.parent / target.partition("#")[0]).exists(), target


def test_architecture_shows_the_layers_that_are_enforced():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    text = ARCHITECTURE.read_text(encoding="utf-8")
    for contract in contracts:
        if contract["type"] == "layers":
            block = "".join(f"    {layer}\n" for layer in contract["layers"])
            assert f"\n\n{block}\n" in text, contract["name"]


def test_architecture_names_files_that_exist():
    text = ARCHITECTURE.read_text(encoding="utf-8")
    files = set(re.findall(r"`([\w./-]+\.(?:py|js|ts|html|md|toml))`", text))
    places = (ROOT, PACKAGE, PACKAGE / "gateway", PACKAGE / "gateway" / "web")
    for file in files:
        if "NAME" not in file:
            assert any((place / file).exists() for place in places), file
    assert len(files) > 30


@pytest.mark.parametrize("document", [*PAGES, ROOT / "NOTICE"], ids=lambda page: page.name)
def test_documents_name_files_that_exist(document):
    text = document.read_text(encoding="utf-8")
    for file in re.findall(r"\b(?:src|tests|evaluation|benchmarks|examples)/[\w./-]*\w", text):
        assert "NAME" in file or (ROOT / file).exists(), file


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_notebook_runs(folder, monkeypatch):
    for name in ("IPYTHONDIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR"):  # not in the home
        monkeypatch.setenv(name, str(folder / name))
    notebook = nbformat.read(ROOT / "examples" / "tour.ipynb", as_version=4)
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    assert "data:image/jpeg" in str(notebook.cells[3].outputs)


def help_of(*words):
    return subprocess.check_output([sys.executable, "-m", "memery", *words, "--help"], text=True)


@pytest.mark.parametrize(
    "command",
    ["", "recall", "similar", "duplicates", "build", "status", "purge", "serve", "models list"],
)
def test_reference_names_every_command_and_option(command):
    reference = COMMAND_LINE.read_text(encoding="utf-8")
    assert f"`memery {command}" in reference
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", help_of(*command.split()))):
        assert re.search(rf"{option}(?![\w-])", reference), option
