"""The hub's API, by huggingface_hub: the one module that imports it.

Its variables hold (HF_HOME, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE …). Its telemetry is off.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal
from urllib.parse import urlsplit

from memery.errors import ModelError
from memery.telemetry import disable_telemetry

_WAITS = 3
"""How often a hub that asks for patience is asked again."""
_WAIT_MAX = 60.0
"""The longest that it may ask for, seconds."""
_BUSY = 429
_CHUNK = 1 << 16
"""Bytes that reach the file at a time, the most that an interruption loses (10 MB by default)."""


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
    return str(info.sha), [
        RemoteFile(
            file.rfilename,
            int(file.size or 0),
            file.lfs.sha256 if file.lfs else None,
            file.blob_id or "",
        )
        for file in info.siblings or ()
    ]


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
    from huggingface_hub.utils._headers import build_hf_headers
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        """Takes the place of the library's own bar, and shows none."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> bool | None:
            moved(int(n or 0))
            return None

    constants.DOWNLOAD_CHUNK_SIZE = _CHUNK
    url = hub.hf_hub_url(repository, file.path, revision=commit)
    token = _token()
    facts = hub.get_hf_file_metadata(url, token=token, retry_on_errors=True)
    headers = build_hf_headers(token=token)
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


def delete_revision(cache: Path, commit: str) -> int:
    """Delete a commit from a cache; files that other commits share stay. Returns bytes freed.

    Raises:
        OSError: there is no such cache.
    """
    from huggingface_hub.errors import CacheNotFound

    try:
        strategy = _hub().scan_cache_dir(cache).delete_revisions(commit)
    except (CacheNotFound, ValueError) as error:
        raise OSError(str(error)) from error
    strategy.execute()
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
