"""Downloads of models from the hub into the hub's cache: resumable, verified and atomic.

The cache has the hub's standard layout: `blobs/<hash>` with the content, and
`snapshots/<commit>/<path>` as links to it. Incomplete files are `blobs/<hash>.memery`; the next
attempt resumes them. Each file is verified against the hub's hash before it gets its final name. A
model is installed only when all of its files are complete.
"""

from __future__ import annotations

import contextlib
import fnmatch
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from memery.errors import ModelError
from memery.models import installed
from memery.models.hub import client
from memery.models.hub.client import RemoteFile
from memery.models.hub.confined import ConfinedFolder
from memery.models.installed import FileRecord, Installed
from memery.models.registry import Entry

_CONNECTIONS = 4
_KEPT = ("*.json", "*.toml", "*.txt.gz", "*.onnx", "*.onnx.data", "*.onnx_data", "*.data")
"""Files to download from a repository that is not in the registry; no pickles."""
_OTHER_PRECISIONS = ("*_fp16.onnx*", "*_q4*", "*_bnb4*", "*_int8.onnx*", "*_uint8.onnx*", "*fp16/*")
_OPTIONAL = frozenset({"tokenizer_config.json"})
"""Files that a layout does not require."""
_HEADROOM = 16 << 20


@dataclass(frozen=True, slots=True)
class PullProgress:
    """Progress of a download.

    Attributes:
        done: bytes downloaded.
        total: bytes of all files.
    """

    done: int
    total: int


def pull(
    name: str, entry: Entry | None, progress: Callable[[PullProgress], object] | None = None
) -> Installed:
    """Download a model, verify every file, and record it as installed.

    Args:
        name: of the registry, or a hub id (`owner/name`, `owner/name@revision`).
        entry: what the registry says, or None for a hub id.
        progress: called with the progress.

    Raises:
        ModelError: the download failed. Valid partial downloads are kept for the next attempt.
    """
    import filelock

    repository, _, revision = (entry.repository if entry else name).partition("@")
    base = name.partition("@")[0]
    records = installed.records_folder()
    try:
        records.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(records / f".{base.replace('/', '--')}.lock"):
            commit, found = client.describe(repository, revision or None)
            wanted = _chosen(repository, found, entry)
            model = _Download(repository, commit, wanted, progress).run(base)
            installed.write(model)
    except OSError as error:
        raise client.to_model_error(error, repository) from error
    return model


def remove(model: Installed) -> int:
    """Delete an installed model from the hub's cache, and its record. Returns the bytes freed."""
    try:
        freed = client.delete_revision(model.folder.parents[1], model.commit)
    except (OSError, IndexError):  # the recorded folder is not in a cache
        freed = 0
    installed.forget(model.name)
    return freed


def _chosen(repository: str, found: list[RemoteFile], entry: Entry | None) -> list[RemoteFile]:
    """Select the files to download."""
    paths = {file.path for file in found}
    if entry is not None:
        missing = [path for path in entry.files if path not in paths | _OPTIONAL]
        if missing:
            raise ModelError(
                f"The repository {repository} lacks {', '.join(missing)}: it has changed since this"
                " version of memery was released. Update memery."
            )
        beside = [f"{path}{end}" for path in entry.files for end in (".data", "_data")]
        wanted = [file for file in found if file.path in (*entry.files, *beside)]
    else:
        wanted = [
            file
            for file in found
            if any(fnmatch.fnmatch(file.path, pattern) for pattern in _KEPT)
            and not any(fnmatch.fnmatch(file.path, other) for other in _OTHER_PRECISIONS)
        ]
    if not any(file.path.endswith(".onnx") for file in wanted):
        raise ModelError(f"The repository {repository} has no ONNX model that memery supports.")
    for file in wanted:
        client.check_form(repository, file)
    return wanted


class _Download:
    """One download of a commit's files."""

    def __init__(
        self,
        repository: str,
        commit: str,
        wanted: list[RemoteFile],
        progress: Callable[[PullProgress], object] | None,
    ) -> None:
        self._repository = repository
        self._commit = commit
        self._wanted = wanted
        self._progress = progress or (lambda _: None)
        self._folder = ConfinedFolder(client.storage_folder(repository))
        self._lock = threading.Lock()
        self._done = 0
        self._contents = {file.key: file for file in wanted}  # two paths may hold the same bytes
        self._total = sum(file.size for file in self._contents.values())

    def run(self, name: str) -> Installed:
        """Download missing files and return the record of the model."""
        with contextlib.closing(self._folder):
            self._check_room()
            with ThreadPoolExecutor(_CONNECTIONS) as pool:
                digests = dict(
                    zip(self._contents, pool.map(self._get, self._contents.values()), strict=True)
                )
            snapshot = f"snapshots/{self._commit}"
            for file in self._wanted:
                self._link(file, f"{snapshot}/{file.path}")
        files = {file.path: FileRecord(file.size, digests[file.key]) for file in self._wanted}
        return Installed(name, self._repository, self._commit, self._folder.path / snapshot, files)

    def _check_room(self) -> None:
        missing = self._total + _HEADROOM
        for file in self._contents.values():
            for name in (_blob(file), _partial(file)):
                missing -= self._folder.size(name) or 0
        free = shutil.disk_usage(self._folder.path).free
        if missing > free:
            raise ModelError(
                f"{self._repository} needs {missing // 1_000_000} MB more, and {self._folder.path}"
                f" has {free // 1_000_000} MB left: make room, or name another folder with HF_HOME."
            )

    def _get(self, file: RemoteFile) -> str:
        """Download a file unless it is in the cache; verify it and return its SHA-256."""
        blob, partial = _blob(file), _partial(file)
        if (sha256 := self._verified_digest(blob, file)) is not None:
            self._advance(file.size)
            return sha256
        self._folder.delete(blob)
        size = self._folder.size(partial)
        if size is None or size > file.size:
            self._folder.delete(partial)
        with self._folder.open(partial, "ab") as target:
            self._advance(target.tell())
            client.fetch(self._repository, self._commit, file, target, self._advance)
        sha256 = self._verified_digest(partial, file)
        if sha256 is None:
            self._folder.delete(partial)
            raise ModelError(
                f"The download of {file.path} of {self._repository} is damaged: its hash differs"
                " from the hub's. It was deleted. Run the command again to download it again."
            )
        self._folder.rename(partial, blob)
        return sha256

    def _verified_digest(self, name: str, file: RemoteFile) -> str | None:
        """Return the SHA-256 of a file if it matches the hub's hash, else None."""
        if self._folder.size(name) != file.size:
            return None
        with self._folder.open(name, "rb") as stream:
            sha256, blob = installed.digests(stream)
        right = sha256 == file.sha256 if file.sha256 else blob == file.blob
        return sha256 if right else None

    def _link(self, file: RemoteFile, name: str) -> None:
        try:
            self._folder.link(name, _blob(file))
        except OSError:  # symbolic links are not supported
            with (
                self._folder.open(_blob(file), "rb") as blob,
                self._folder.open(name, "ab") as copy,
            ):
                shutil.copyfileobj(blob, copy)

    def _advance(self, count: int) -> None:
        with self._lock:
            self._done += count
            self._progress(PullProgress(min(self._done, self._total), self._total))


def _blob(file: RemoteFile) -> str:
    return f"blobs/{file.key}"


def _partial(file: RemoteFile) -> str:
    return f"blobs/{file.key}.memery"
