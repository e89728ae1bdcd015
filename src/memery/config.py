"""Settings: argument, else MEMERY_* environment variable, else config file, else default."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from memery.errors import ConfigError
from memery.imaging.limits import MAX_PIXELS
from memery.text.files import read_text

_UNLIMITED = 1 << 16
"""More processors than any machine has."""
PRECISIONS = ("", "fp32", "int8")


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one run.

    Attributes:
        model: a model's name, or "auto": the archive's model, else the best that is installed.
        precision: "fp32" or "int8" for models that have both; "" means that of the model's name or
            of the archive.
        device: compute device: "auto", "cpu", "cuda", or an execution provider of onnxruntime.
        token: access token of a remote encoder; never shown.
        store: the kind of store.
        archive: folder of the archive, instead of the default one for the images.
        workers: decoding threads; 0 means one for each processor that this process may use.
        batch_size: images per model call and per transaction.
        max_pixels: larger images are skipped (the default is Pillow's own limit).
        max_bytes: larger files are skipped.
        decode_seconds: images that take longer to decode are skipped.
        isolate: decode in child processes; None means query images, and all images of a folder in
            which a decoder has crashed.
        follow_links: follow symbolic links; None means as stored in the archive.
        read_text: recognise text while indexing (OCR); None means as stored in the archive, else
            if an OCR engine is installed.
        reader: name of the OCR engine.
    """

    model: str = "auto"
    precision: str = ""
    device: str = "auto"
    token: str = field(default="", repr=False)
    store: str = "sqlite"
    archive: Path | None = None
    workers: int = 0
    batch_size: int = 32
    max_pixels: int = MAX_PIXELS
    max_bytes: int = 1 << 30
    decode_seconds: int = 120
    isolate: bool | None = None
    follow_links: bool | None = None
    read_text: bool | None = None
    reader: str = "rapidocr"

    def __post_init__(self) -> None:
        for name in ("batch_size", "max_pixels", "max_bytes", "decode_seconds"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: it must be 1 or more.")
        for name in ("model", "device", "store", "reader", "archive"):
            value = getattr(self, name)
            if value is not None and not os.fspath(value):
                raise ConfigError(f"{name} is empty: leave it out, or give it a value.")
        if self.precision not in PRECISIONS:
            known = ", ".join(filter(None, PRECISIONS))
            raise ConfigError(f"precision is {self.precision!r}: it must be one of {known}.")
        if self.workers < 0:
            raise ConfigError(f"workers is {self.workers}: it must be 0 (automatic) or more.")

    @property
    def threads(self) -> int:
        """Decoding threads, resolved: 1 or more."""
        return self.workers or processors()


def processors() -> int:
    """The number of processors that this process may use: its CPU affinity and cgroup quota."""
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), quota(Path("/sys/fs/cgroup")))
    return os.cpu_count() or 1


def quota(cgroup: Path) -> int:
    """The number of processors that a control group may use, rounded up.

    `cpu.max` is "QUOTA PERIOD" in microseconds (Linux, Documentation/admin-guide/cgroup-v2.rst). A
    container sees its own group's file there; a machine without containers has none.
    """
    with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
        granted, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
        return max(1, -(-int(granted) // int(period)))
    return _UNLIMITED


def config_path() -> Path:
    """The path of the user's config file."""
    import platformdirs

    return Path(
        os.environ.get("MEMERY_CONFIG") or platformdirs.user_config_path("memery") / "config.toml"
    )


def load_config(**arguments: Any) -> Config:
    """Merge the sources of settings; arguments that are None count as not given.

    Raises:
        ConfigError: a source has an unknown setting, or a value of the wrong type.
    """
    path = config_path()
    merged = _from_file(path) | _from_environment(os.environ)
    merged |= {name: value for name, value in arguments.items() if value is not None}
    return Config(**merged)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(read_text(path))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"The config file {path} cannot be read: {error}") from error
    unknown = sorted(table.keys() - _TYPES.keys())
    if unknown:
        known = ", ".join(_TYPES)
        raise ConfigError(
            f"{path} sets {unknown[0]!r}, which is not a setting. The settings are: {known}."
        )
    return {name: _checked(name, value, str(path)) for name, value in table.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: _checked(name, _parsed(name, environment[variable]), variable)
        for name in _TYPES
        if environment.get(variable := f"MEMERY_{name.upper()}")
    }


def _parsed(name: str, text: str) -> Any:
    kind = _TYPES[name]
    if kind is int:
        short = len(text) <= _MAX_DIGITS
        return int(text) if short and text.removeprefix("-").isdecimal() else text
    if kind is bool:
        return {"1": True, "true": True, "0": False, "false": False}.get(text.lower(), text)
    return text


def _checked(name: str, value: Any, source: str) -> Any:
    kind: Any = _TYPES[name]
    if type(value) is not (str if kind is Path else kind):
        raise ConfigError(f"{source} sets {name} to {value!r}, which is not a {_TYPE_NAMES[kind]}.")
    if kind is Path and not value:
        raise ConfigError(f"{source} sets {name} to an empty string. Use . for the current folder.")
    try:
        return Path(value).expanduser() if kind is Path else value
    except RuntimeError as error:
        raise ConfigError(f"{source} sets {name} to {value!r}: {error}") from None


_MAX_DIGITS = 18
"""Maximum length of a number: longer ones may not fit into 64 bits."""
_TYPE_NAMES = {int: "whole number", bool: "true or false", str: "text", Path: "folder"}
_TYPES: dict[str, type] = {
    field.name: {"int": int, "str": str, "Path | None": Path, "bool | None": bool}[str(field.type)]
    for field in dataclasses.fields(Config)
}
