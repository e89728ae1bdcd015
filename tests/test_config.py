"""Settings: where they come from, which source wins, and what they may be."""

import json
import os
from pathlib import Path

import pytest

from memery.config import Config, config_path, load_config, processors, quota
from memery.errors import ConfigError


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    """Remove all settings, of the tests and of their user, from the environment."""
    for name in [name for name in os.environ if name.startswith("MEMERY_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A config file that is read, and does not exist yet."""
    monkeypatch.setenv("MEMERY_CONFIG", str(tmp_path / "config.toml"))
    return tmp_path / "config.toml"


def test_defaults_apply_without_config_file(file):
    assert load_config() == Config()


def test_config_file_overrides_defaults(file):
    file.write_text("batch_size = 7\nisolate = true\nmodel = 'm'\n")
    assert load_config() == Config(batch_size=7, isolate=True, model="m")


def test_environment_overrides_config_file(file, monkeypatch):
    file.write_text("batch_size = 7\nworkers = 3\n")
    monkeypatch.setenv("MEMERY_WORKERS", "5")
    config = load_config()
    assert (config.batch_size, config.workers, config.threads) == (7, 5, 5)


def test_arguments_override_environment(file, monkeypatch):
    file.write_text("workers = 3\n")
    monkeypatch.setenv("MEMERY_WORKERS", "5")
    assert load_config(workers=1).workers == 1


def test_argument_none_counts_as_not_given(file):
    file.write_text("batch_size = 7\n")
    assert load_config(batch_size=None).batch_size == 7


def test_empty_environment_variable_counts_as_not_set(file, monkeypatch):
    file.write_text("model = 'm'\nread_text = false\n")
    monkeypatch.setenv("MEMERY_MODEL", "")
    monkeypatch.setenv("MEMERY_READ_TEXT", "")
    assert load_config() == Config(model="m", read_text=False)


@pytest.mark.parametrize(
    ("text", "value"), [("1", True), ("true", True), ("TRUE", True), ("0", False), ("False", False)]
)
def test_environment_spells_booleans(file, monkeypatch, text, value):
    monkeypatch.setenv("MEMERY_ISOLATE", text)
    assert load_config().isolate is value


def test_environment_variable_names_another_config_file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config_path() == tmp_path / "memery" / "config.toml"
    monkeypatch.setenv("MEMERY_CONFIG", str(tmp_path / "other.toml"))
    assert config_path() == tmp_path / "other.toml"


def test_archive_in_home_folder_is_expanded(file, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    file.write_text(f"archive = {json.dumps('~/there')}\n")
    assert load_config().archive == tmp_path / "there"


def test_reads_config_file_with_byte_order_mark(file):
    file.write_bytes(b"\xef\xbb\xbfbatch_size = 7\r\n")
    assert load_config().batch_size == 7


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 0),
        ("max_pixels", 0),
        ("max_bytes", -1),
        ("decode_seconds", 0),
        ("workers", -1),
        ("precision", "fp16"),
        ("model", ""),
        ("device", ""),
        ("store", ""),
        ("reader", ""),
        ("archive", ""),
    ],
)
def test_rejects_value_out_of_range_and_names_the_setting(name, value):
    with pytest.raises(ConfigError, match=name):
        Config(**{name: value})


@pytest.mark.parametrize(
    "value",
    [
        {"batch_size": 1},
        {"max_pixels": 1},
        {"max_bytes": 1},
        {"decode_seconds": 1},
        {"workers": 0},
        {"precision": ""},
        {"precision": "fp32"},
        {"precision": "int8"},
        {"archive": Path()},
    ],
)
def test_accepts_value_at_the_limit(value):
    assert Config(**value)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("batch_size = '7'", "whole number"),
        ("batch_size = 7.0", "whole number"),
        ("batch_size = true", "whole number"),
        ("follow_links = 1", "true or false"),
        ("read_text = 'yes'", "true or false"),
        ("model = 3", "text"),
        ("token = ['a']", "text"),
        ("archive = 3", "folder"),
    ],
)
def test_rejects_value_of_wrong_type_in_config_file(file, line, kind):
    file.write_text(line)
    with pytest.raises(ConfigError) as caught:
        load_config()
    assert str(file) in str(caught.value)
    assert line.partition(" ")[0] in str(caught.value)
    assert kind in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("MEMERY_BATCH_SIZE", "many"),
        ("MEMERY_BATCH_SIZE", "1.5"),
        ("MEMERY_BATCH_SIZE", "9" * 5000),
        ("MEMERY_BATCH_SIZE", "--1"),
        ("MEMERY_ISOLATE", "yes"),
        ("MEMERY_READ_TEXT", "2"),
    ],
)
def test_rejects_value_of_wrong_type_in_environment(file, monkeypatch, variable, text):
    monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigError, match=variable):
        load_config()


@pytest.mark.parametrize("value", ["", "~nobody-here/x"])
def test_rejects_archive_that_is_no_path(file, value):
    file.write_text(f"archive = {json.dumps(value)}\n")
    with pytest.raises(ConfigError, match="archive"):
        load_config()


def test_rejects_unknown_setting_and_lists_known_ones(file):
    file.write_text("modle = 'x'\n")
    with pytest.raises(ConfigError, match=r"'modle'.*model, precision"):
        load_config()


def test_ignores_unknown_environment_variable(file, monkeypatch):
    monkeypatch.setenv("MEMERY_MODLE", "x")
    assert load_config() == Config()


@pytest.mark.parametrize("content", [b"= broken", b"model = '\xff'", b"a = 1\na = 2"])
def test_rejects_config_file_that_is_not_toml_and_names_it(file, content):
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config()
    assert str(file) in str(caught.value)


def test_rejects_config_file_that_is_a_folder(file):
    file.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config()


def test_config_file_below_a_file_counts_as_missing(file, monkeypatch):
    file.write_text("")
    monkeypatch.setenv("MEMERY_CONFIG", str(file / "config.toml"))
    assert load_config() == Config()


def test_token_is_never_shown():
    assert "secret" not in repr(Config(token="secret"))


@pytest.mark.parametrize(
    ("text", "granted"),
    [
        ("max 100000\n", None),
        ("150000 100000\n", 2),
        ("50000 100000", 1),
        ("400000 100000", 4),
        ("nonsense", None),
        ("1 0", None),
        (None, None),
    ],
)
def test_container_quota_limits_processors(tmp_path, text, granted):
    if text is not None:
        (tmp_path / "cpu.max").write_text(text)
    assert quota(tmp_path) == granted or (granted is None and quota(tmp_path) > 1000)


def test_threads_are_at_most_the_processors():
    assert 1 <= Config().threads == processors() <= os.cpu_count()
