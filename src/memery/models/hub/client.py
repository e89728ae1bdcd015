"""The hub's API, by huggingface_hub: the one module that imports it.

Its variables hold (HF_HOME, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE …). Its telemetry is off.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal
from urllib.parse import urlsplit

from memery.errors import ModelError
from memery.process.telemetry import disable_telemetry

_WAITS = 3
"""How often a hub that asks for patience is asked again."""
_WAIT_MAX = 60.0
"""The longest that it may ask for, seconds."""
_BUSY = 429
_CHUNK = 1 << 16
"""Bytes that reach the file at a time, the most that an interruption loses (10 MB by default)."""


_SHA1, _SHA256 = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(f"{_SHA1.pattern}|{_SHA256.pattern}")
_SIZE_MAX, _NAME_MAX = 1 << 40, 255
"""The largest file, and the longest name of one in a folder, bytes."""
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as the hub describes it.

    Attributes:
        path: within the repository.
        size: bytes.
        sha256: of a large file's content, hexadecimal; None for small ones.
        blob: git's SHA-1 of a small file; of a large one's pointer.
    """

    path: str
    size: int
    sha256: str | None
    blob: str

    @property
    def key(self) -> str:
        """Its name in the hub's cache."""
        return self.sha256 or self.blob


def _hub() -> Any:
    disable_telemetry()
    import huggingface_hub

    return huggingface_hub


def _token() -> str | Literal[False]:
    """The token that the user named; one that was saved by another program's login is not sent.

    It may belong to another hub than HF_ENDPOINT names, and a public model needs none.
    """
    return os.environ.get("HF_TOKEN", "").strip() or False


def describe(repository: str, revision: str | None) -> tuple[str, list[RemoteFile]]:
    """The commit that a revision names now, and its files.

    Raises:
        ModelError: the hub cannot be asked, or has nothing of that name.
    """
    info = _patiently(
        lambda: (
            _hub()
            .HfApi(token=_token())
            .model_info(repository, revision=revision, files_metadata=True)
        ),
        repository,
    )
    if not (isinstance(info.sha, str) and _COMMIT.fullmatch(info.sha)):
        raise _refused(repository, "commit", info.sha)
    return info.sha, [
        RemoteFile(
            str(file.rfilename),
            file.size or 0,
            file.lfs.sha256 if file.lfs else None,
            file.blob_id or "",
        )
        for file in info.siblings or ()
    ]


def check_form(repository: str, file: RemoteFile) -> None:
    """Make sure that what a hub says of a file may become part of a path.

    Raises:
        ModelError: its name leads elsewhere, or its hash or size are none.
    """
    if not _is_below(file.path):
        raise _refused(repository, "file name", file.path)
    pattern = _SHA256 if file.sha256 else _SHA1
    if not (isinstance(file.key, str) and pattern.fullmatch(file.key)):
        raise _refused(repository, f"hash of {file.path}", file.key)
    if not (isinstance(file.size, int) and 0 <= file.size <= _SIZE_MAX):
        raise _refused(repository, f"size of {file.path}", file.size)


def _is_below(name: str) -> bool:
    """Whether a name is that of a file below a folder, on every system."""
    parts = name.split("/")
    return (
        name.isprintable()
        and not {"\\", ":"} & set(name)
        and all(part not in ("", ".", "..") for part in parts)
        and all(len(part.encode("utf-8")) <= _NAME_MAX for part in parts)
    )


def _refused(repository: str, what: str, value: object) -> ModelError:
    from huggingface_hub import constants

    shown = repr(value)
    shown = f"{shown[:_SHOWN]}…" if len(shown) > _SHOWN else shown
    return ModelError(
        f"{constants.ENDPOINT} gives {shown} as the {what} of {repository}, which is not valid:"
        " nothing was downloaded. Check HF_ENDPOINT, or report it to whoever runs that hub."
    )


def fetch(
    repository: str, commit: str, file: RemoteFile, target: BinaryIO, moved: Callable[[int], object]
) -> None:
    """Append what is missing of a file to what `target` has of it.

    Args:
        repository: where it is.
        commit: of which commit.
        file: which.
        target: opened for appending; its size is where the download goes on.
        moved: called with the number of bytes that came, or that are lost again.

    Raises:
        ModelError: it cannot be had; what came is in `target`.
    """
    _patiently(lambda: _fetch(repository, commit, file, target, moved), repository)


def _fetch(
    repository: str, commit: str, file: RemoteFile, target: BinaryIO, moved: Callable[[int], object]
) -> None:
    hub = _hub()
    from huggingface_hub import constants
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        """Takes the place of the library's own bar, and shows none."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> bool | None:
            count = int(n or 0)
            if target.tell() + count > file.size:
                raise ModelError(
                    f"The hub sends more of {file.path} than it states: {repository} was not"
                    " downloaded. Report it to whoever runs that hub."
                )
            moved(count)
            return None

    constants.DOWNLOAD_CHUNK_SIZE = _CHUNK
    url = hub.hf_hub_url(repository, file.path, revision=commit)
    token = _token()
    facts = hub.get_hf_file_metadata(url, token=token, retry_on_errors=True)
    headers = hub.utils.build_hf_headers(token=token)
    if urlsplit(facts.location).netloc != urlsplit(url).netloc:
        headers.pop("authorization", None)  # the token is the hub's, not its content server's
    http_get(
        facts.location,
        target,
        resume_size=target.tell(),
        headers=headers,
        expected_size=file.size,
        tqdm_class=Bar,
    )


def cache_folder() -> Path:
    """The hub's cache (HF_HUB_CACHE, HF_HOME)."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def storage_folder(repository: str) -> Path:
    """Where the cache keeps a repository."""
    from huggingface_hub.file_download import repo_folder_name

    return cache_folder() / str(repo_folder_name(repo_id=repository, repo_type="model"))


def delete_revision(storage: Path, commit: str) -> int:
    """Delete a commit of a repository; files that its other commits share stay.

    Args:
        storage: where the cache keeps the repository.
        commit: hexadecimal. A hub states it: another repository may have one of the same name.

    Returns:
        Bytes freed.

    Raises:
        OSError: there is no such cache.
    """
    from huggingface_hub.errors import CacheNotFound

    storage = storage.resolve()
    try:
        cache = _hub().scan_cache_dir(storage.parent)
        own = frozenset(repo for repo in cache.repos if repo.repo_path == storage)
        strategy = replace(cache, repos=own).delete_revisions(commit)
    except (CacheNotFound, ValueError) as error:
        raise OSError(str(error)) from error
    # A link in a snapshot may lead anywhere, and it is what it leads to that would be deleted.
    below = frozenset(path for path in strategy.blobs if path.parent == storage / "blobs")
    replace(strategy, blobs=below).execute()
    return int(strategy.expected_freed_size)


def _patiently(call: Callable[[], Any], repository: str) -> Any:
    """What a call to the hub gives; one that asks for patience is asked again."""
    from huggingface_hub.errors import HfHubHTTPError

    for attempt in range(_WAITS + 1):
        try:
            return call()
        except HfHubHTTPError as error:
            wait = _asked_wait(error)
            if wait is None or wait > _WAIT_MAX or attempt == _WAITS:
                raise explained(error, repository) from error
            time.sleep(wait)
        except (KeyboardInterrupt, ModelError):
            raise
        except Exception as error:
            raise explained(error, repository) from error
    raise AssertionError


def _asked_wait(error: Any) -> float | None:
    """Seconds that the hub asks to wait, or None if it does not."""
    if error.response.status_code != _BUSY:
        return None
    try:
        return max(0.0, float(error.response.headers.get("Retry-After", "")))
    except ValueError:
        return None


def explained(error: Exception, repository: str) -> ModelError:
    """What a failure means, and what to do."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        what = f"{repository} is not installed, and HF_HUB_OFFLINE forbids to ask the hub for it."
    elif isinstance(error, HFValidationError):
        what = f"{repository!r} is no name of a repository: it reads owner/name."
    elif isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        known = _ANSWERS.get(
            status, f"The hub answered with an error ({status}) for {{}}. {_AGAIN}"
        )
        what = known.format(repository)
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        what = (
            f"The disk is full: {repository} could not be downloaded. {_AGAIN}"
            " Another folder can be named with HF_HOME."
        )
    elif isinstance(error, (LookupError, TypeError, ValueError, AttributeError)):
        from huggingface_hub import constants

        what = (
            f"{constants.ENDPOINT} answers with something that does not describe {repository}: it"
            " could not be downloaded. Check HF_ENDPOINT, or report it to whoever runs that hub."
        )
    else:
        why = f"{type(error).__name__}: {_line(error)}"
        what = f"{repository} could not be downloaded ({why}). {_AGAIN}"
    return ModelError(what)


_AGAIN = "What is there is kept: run the command again to go on."
_PRIVATE = (
    "The hub does not give {} to everyone, or it does not exist: check the name, or set HF_TOKEN to"
    " a token that may read it."
)
_ANSWERS = {
    401: _PRIVATE,
    403: _PRIVATE,
    404: "The hub has no {}, or not the file or revision that was asked for.",
    _BUSY: "The hub is asked too often at the moment for {}: try again later. " + _AGAIN,
}
"""What an answer's status means, with a place for the repository."""


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "no details")
