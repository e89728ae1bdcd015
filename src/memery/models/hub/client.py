"""The hub's API: the only module that imports huggingface_hub.

Its environment variables apply (HF_HOME, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE …). Its telemetry is
disabled.
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
"""Number of retries after a rate-limited request."""
_WAIT_MAX = 60.0
"""The longest delay between retries that is accepted, seconds."""
_BUSY = 429
_CHUNK = 1 << 16
"""Bytes written at a time; an interruption loses at most this much (10 MB by default)."""


_SHA1, _SHA256 = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(f"{_SHA1.pattern}|{_SHA256.pattern}")
_SIZE_MAX, _NAME_MAX = 1 << 40, 255
"""The largest file and the longest name of a file, bytes."""
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as the hub describes it.

    Attributes:
        path: path within the repository.
        size: bytes.
        sha256: of a large file's content, hexadecimal; None for small files.
        blob: git's SHA-1 of a small file, or of a large file's LFS pointer.
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
    """Return HF_TOKEN; never a token saved by the login of another program.

    A saved token may belong to another hub than HF_ENDPOINT, and public models need no token.
    """
    return os.environ.get("HF_TOKEN", "").strip() or False


def describe(repository: str, revision: str | None) -> tuple[str, list[RemoteFile]]:
    """Resolve a revision to a commit and list its files.

    Raises:
        ModelError: the hub cannot be reached, or has no such repository or revision.
    """
    info = _with_retries(
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
    """Check that a file's name and hash, as stated by a hub, are safe to use in a path.

    Raises:
        ModelError: its name leads outside the folder, or its hash or size is not valid.
    """
    if not _is_below(file.path):
        raise _refused(repository, "file name", file.path)
    pattern = _SHA256 if file.sha256 else _SHA1
    if not (isinstance(file.key, str) and pattern.fullmatch(file.key)):
        raise _refused(repository, f"hash of {file.path}", file.key)
    if not (isinstance(file.size, int) and 0 <= file.size <= _SIZE_MAX):
        raise _refused(repository, f"size of {file.path}", file.size)


def _is_below(name: str) -> bool:
    """Whether a name is a relative path that stays below its folder on every system."""
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
        f"{constants.ENDPOINT} gives {shown} as the {what} of {repository}, which is not valid."
        " Nothing was downloaded. Check HF_ENDPOINT, or report it to the operator of that hub."
    )


def fetch(
    repository: str, commit: str, file: RemoteFile, target: BinaryIO, moved: Callable[[int], object]
) -> None:
    """Download the missing rest of a file.

    Args:
        repository: the repository.
        commit: the commit.
        file: the file.
        target: opened for appending; the download resumes at its size.
        moved: called with the number of bytes downloaded, negative if they must be repeated.

    Raises:
        ModelError: the download failed; `target` keeps the bytes received.
    """
    _with_retries(lambda: _fetch(repository, commit, file, target, moved), repository)


def _fetch(
    repository: str, commit: str, file: RemoteFile, target: BinaryIO, moved: Callable[[int], object]
) -> None:
    hub = _hub()
    from huggingface_hub import constants
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        """Replaces the library's progress bar by calls of `moved`."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> bool | None:
            count = int(n or 0)
            if target.tell() + count > file.size:
                raise ModelError(
                    f"The hub sends more bytes of {file.path} than it states. {repository} was not"
                    " downloaded. Report it to the operator of that hub."
                )
            moved(count)
            return None

    constants.DOWNLOAD_CHUNK_SIZE = _CHUNK
    url = hub.hf_hub_url(repository, file.path, revision=commit)
    token = _token()
    facts = hub.get_hf_file_metadata(url, token=token, retry_on_errors=True)
    headers = hub.utils.build_hf_headers(token=token)
    if urlsplit(facts.location).netloc != urlsplit(url).netloc:
        headers.pop("authorization", None)  # do not send the token to another server
    http_get(
        facts.location,
        target,
        resume_size=target.tell(),
        headers=headers,
        expected_size=file.size,
        tqdm_class=Bar,
    )


def cache_folder() -> Path:
    """Return the folder of the hub's cache (HF_HUB_CACHE, HF_HOME)."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def storage_folder(repository: str) -> Path:
    """Return the folder of a repository in the cache."""
    from huggingface_hub.file_download import repo_folder_name

    return cache_folder() / str(repo_folder_name(repo_id=repository, repo_type="model"))


def delete_revision(storage: Path, commit: str) -> int:
    """Delete a commit of a repository, except files that other commits share.

    Args:
        storage: the repository's folder in the cache.
        commit: hexadecimal; not necessarily unique among repositories.

    Returns:
        Bytes freed.

    Raises:
        OSError: the cache does not exist.
    """
    from huggingface_hub.errors import CacheNotFound

    storage = storage.resolve()
    try:
        cache = _hub().scan_cache_dir(storage.parent)
        own = frozenset(repo for repo in cache.repos if repo.repo_path == storage)
        strategy = replace(cache, repos=own).delete_revisions(commit)
    except (CacheNotFound, ValueError) as error:
        raise OSError(str(error)) from error
    # Links in a snapshot may point anywhere; delete only targets inside this repository.
    below = frozenset(path for path in strategy.blobs if path.parent == storage / "blobs")
    replace(strategy, blobs=below).execute()
    return int(strategy.expected_freed_size)


def _with_retries(call: Callable[[], Any], repository: str) -> Any:
    """Call the hub, with retries if it is rate-limited."""
    from huggingface_hub.errors import HfHubHTTPError

    for attempt in range(_WAITS + 1):
        try:
            return call()
        except HfHubHTTPError as error:
            wait = _retry_after(error)
            if wait is None or wait > _WAIT_MAX or attempt == _WAITS:
                raise to_model_error(error, repository) from error
            time.sleep(wait)
        except (KeyboardInterrupt, ModelError):
            raise
        except Exception as error:
            raise to_model_error(error, repository) from error
    raise AssertionError


def _retry_after(error: Any) -> float | None:
    """Return the delay that the hub requests, seconds, or None."""
    if error.response.status_code != _BUSY:
        return None
    try:
        return max(0.0, float(error.response.headers.get("Retry-After", "")))
    except ValueError:
        return None


def to_model_error(error: Exception, repository: str) -> ModelError:
    """Convert an error to a message that says what to do."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        what = f"{repository} is not installed, and HF_HUB_OFFLINE forbids downloading it."
    elif isinstance(error, HFValidationError):
        what = f"{repository!r} is not the name of a repository. Use the form owner/name."
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
            " could not be downloaded. Check HF_ENDPOINT, or report it to the operator of that hub."
        )
    else:
        why = f"{type(error).__name__}: {_line(error)}"
        what = f"{repository} could not be downloaded ({why}). {_AGAIN}"
    return ModelError(what)


_AGAIN = "Downloaded data is kept. Run the command again to resume."
_PRIVATE = (
    "The hub does not give {} to everyone, or it does not exist: check the name, or set HF_TOKEN to"
    " a token that may read it."
)
_ANSWERS = {
    401: _PRIVATE,
    403: _PRIVATE,
    404: "The hub has no {}, or not the requested file or revision.",
    _BUSY: "The hub limits the rate of requests for {}. Try again later. " + _AGAIN,
}
"""Messages by HTTP status, with a placeholder for the repository."""


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "no details")
