"""Records of installed models, written once a download is complete and verified.

A record holds the commit and the SHA-256 of every file. Reading one needs no network access.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from memery.errors import ModelError

_SAFE = re.compile(r"[\w.-]+(--[\w.-]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file of an installed model.

    Attributes:
        size: size in bytes.
        sha256: SHA-256 of the content, hexadecimal.
    """

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Installed:
    """An installed model.

    Attributes:
        name: name in the registry, or the id on the hub.
        repository: repository that it was downloaded from.
        commit: the hub's commit, hexadecimal.
        folder: folder of its files, in the cache of the hub.
        files: file records by path relative to the folder.
    """

    name: str
    repository: str
    commit: str
    folder: Path
    files: Mapping[str, FileRecord]

    @property
    def size(self) -> int:
        """Total size of the files in bytes."""
        return sum(file.size for file in self.files.values())


def records_folder() -> Path:
    """Return the folder of the records."""
    import platformdirs

    return platformdirs.user_data_path("memery") / "models"


def find(name: str) -> Installed | None:
    """Return an installed model by name, or None if it is not installed.

    Raises:
        ModelError: its record is damaged, or a file is missing or has the wrong size.
    """
    file = _record(name)
    if file is None:
        return None
    try:
        text = file.read_text(encoding="utf-8")
    except OSError:
        return None
    try:
        model = _from_json(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"The record {file} of the model {name} is damaged ({error})."
            f" Get the model again: memery models pull {name}"
        ) from error
    for path, expected in model.files.items():
        if _size(model.folder / path) != expected.size:
            raise ModelError(
                f"{model.folder / path} is missing, or not the file that was downloaded."
                f" Get it again: memery models pull {name}"
            )
    return model


def names() -> list[str]:
    """Return the names of all records, including damaged ones."""
    with contextlib.suppress(OSError):
        return sorted(file.stem.replace("--", "/") for file in records_folder().glob("*.json"))
    return []


def write(model: Installed) -> None:
    """Write the record of a model, which marks it as installed."""
    file = _record(model.name)
    assert file is not None
    facts = {
        "name": model.name,
        "repository": model.repository,
        "commit": model.commit,
        "folder": os.fspath(model.folder),
        "files": {
            path: {"size": file.size, "sha256": file.sha256} for path, file in model.files.items()
        },
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}-{uuid.uuid4().hex}")
    try:
        with draft.open("w", encoding="utf-8") as stream:
            json.dump(facts, stream, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def forget(name: str) -> None:
    """Delete the record of a model, but not its files."""
    file = _record(name)
    if file is not None:
        file.unlink(missing_ok=True)


def digests(file: BinaryIO) -> tuple[str, str]:
    """Return the SHA-256 and the git blob SHA-1 of a file, hexadecimal."""
    size = os.fstat(file.fileno()).st_size
    sha256 = hashlib.sha256()
    blob = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    while block := file.read(1 << 20):
        sha256.update(block)
        blob.update(block)
    return sha256.hexdigest(), blob.hexdigest()


def verify(model: Installed) -> list[str]:
    """Verify the SHA-256 of every file; return one sentence for each fault."""
    faults = []
    for path, expected in model.files.items():
        try:
            with (model.folder / path).open("rb") as file:
                same = digests(file)[0] == expected.sha256
        except OSError as error:
            faults.append(f"{model.folder / path} cannot be read: {error.strerror}")
        else:
            if not same:
                faults.append(f"{model.folder / path} is not the file that was downloaded")
    return faults


def _record(name: str) -> Path | None:
    """Return the path of a record, or None if the model name is invalid."""
    safe = name.replace("/", "--", 1)
    return records_folder() / f"{safe}.json" if _SAFE.fullmatch(safe) else None


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None


def _from_json(facts: dict[str, Any]) -> Installed:
    files = {}
    for path, file in facts["files"].items():
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise ValueError(f"{path!r} leads out of the folder")
        files[path] = FileRecord(int(file["size"]), str(file["sha256"]))
    return Installed(
        name=str(facts["name"]),
        repository=str(facts["repository"]),
        commit=str(facts["commit"]),
        folder=Path(facts["folder"]),
        files=files,
    )
