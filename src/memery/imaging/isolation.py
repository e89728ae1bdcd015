"""Decoding in worker processes, so that a decoder that crashes or hangs costs only one image."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import functools
import io
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, ParamSpec, Protocol, TypeVar, cast

from memery.errors import CRASHED, TIMED_OUT, ImageError
from memery.imaging import decoding, formats
from memery.imaging.dates import Taken
from memery.imaging.decoding import Decoded
from memery.imaging.limits import BYTES_PER_PIXEL
from memery.imaging.resizing import Resize
from memery.process.forks import ForkAware

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

P = ParamSpec("P")
R = TypeVar("R")

_BOOTSTRAP = (
    "import json, sys; sys.path += [p for p in json.loads(sys.argv[1]) if p not in sys.path]\n"
    "from memery.imaging.isolation import main; main()"
)
_BASE_BYTES, _PIXEL_BYTES = 1 << 30, 2 * BYTES_PER_PIXEL
"""Address space limit of a worker per image: a base for the file and the decoder's threads, and for
each pixel of the limit twice what `memery.imaging.limits` allows."""
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""numpy's threads, one per processor, would use gigabytes of address space on large machines."""
_INTERPRETERS = ("python", "pypy", "graalpy")
"""Prefixes of the names of Python interpreters."""
_READY = b"r"
"""The first byte a worker sends. If it exits before that, the image is not the cause."""
_LENGTH_PREFIX = struct.Struct("<Q")
_TASKS_MAX = 1000
"""Images after which a worker is replaced, to free leaked memory."""
_RECEIVE_ERRORS = (
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    MemoryError,
    struct.error,
)
"""Errors raised by reading from a worker that has exited or sends invalid data."""
_CLASSES: dict[str, type[Any]] = {"Decoded": Decoded, "Resize": Resize, "Taken": Taken}


class ImageDecoder(Protocol):
    """The functions of `memery.imaging.decoding`, run in this process or in others.

    The module itself implements the protocol without processes. memery uses it until a decoder has
    crashed.
    """

    def decode(
        self,
        data: bytes,
        resize: Resize,
        max_pixels: int,
        thumbnail_side: int = 0,
        pixels_only: bool = False,
    ) -> Decoded:
        """See `memery.imaging.decoding.decode`."""
        ...

    def decode_upright(self, data: bytes, side: int, max_pixels: int) -> NDArray[np.uint8]:
        """See `memery.imaging.decoding.decode_upright`."""
        ...

    def read_date(self, data: bytes, max_pixels: int) -> Taken:
        """See `memery.imaging.decoding.read_date`."""
        ...

    def pixels_have_changed(self, data: bytes, max_pixels: int) -> bool:
        """See `memery.imaging.decoding.pixels_have_changed`."""
        ...

    def upright_size(self, data: bytes, max_pixels: int) -> tuple[int, int]:
        """See `memery.imaging.decoding.upright_size`."""
        ...

    def webp(self, data: bytes, side: int, max_pixels: int) -> bytes:
        """See `memery.imaging.decoding.webp`."""
        ...


class IsolatedDecoder:
    """`memery.imaging.decoding` in worker processes, which all callers share.

    Each method also raises ImageError with the reason `CRASHED` or `TIMED_OUT`.

    Args:
        seconds: time limit per image.
        is_optional: decode in this process if no worker can be started.
    """

    def __init__(self, seconds: int, *, is_optional: bool = False) -> None:
        self._seconds = seconds
        self._is_optional = is_optional

    def decode(
        self,
        data: bytes,
        resize: Resize,
        max_pixels: int,
        thumbnail_side: int = 0,
        pixels_only: bool = False,
    ) -> Decoded:
        """See `memery.imaging.decoding.decode`."""
        arguments = (data, resize, max_pixels, thumbnail_side, pixels_only)
        return self._call(max_pixels, decoding.decode, *arguments)

    def decode_upright(self, data: bytes, side: int, max_pixels: int) -> NDArray[np.uint8]:
        """See `memery.imaging.decoding.decode_upright`."""
        return self._call(max_pixels, decoding.decode_upright, data, side, max_pixels)

    def read_date(self, data: bytes, max_pixels: int) -> Taken:
        """See `memery.imaging.decoding.read_date`."""
        return self._call(max_pixels, decoding.read_date, data, max_pixels)

    def pixels_have_changed(self, data: bytes, max_pixels: int) -> bool:
        """See `memery.imaging.decoding.pixels_have_changed`."""
        return self._call(max_pixels, decoding.pixels_have_changed, data, max_pixels)

    def upright_size(self, data: bytes, max_pixels: int) -> tuple[int, int]:
        """See `memery.imaging.decoding.upright_size`."""
        return self._call(max_pixels, decoding.upright_size, data, max_pixels)

    def webp(self, data: bytes, side: int, max_pixels: int) -> bytes:
        """See `memery.imaging.decoding.webp`."""
        return self._call(max_pixels, decoding.webp, data, side, max_pixels)

    def _call(
        self, max_pixels: int, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        assert not kwargs
        memory = _BASE_BYTES + _PIXEL_BYTES * max_pixels
        request = [function.__name__, self._seconds, memory, list(args)]
        try:
            return cast(R, _workers.call(request, self._seconds))
        except _WorkerStartError as error:
            if not self._is_optional:
                raise ImageError(CRASHED, f"no process can be started: {error}") from None
        return function(*args, **kwargs)


def start_ahead() -> None:
    """Start a worker, unless one is idle, so that it is ready when the caller decodes."""
    with contextlib.suppress(_WorkerStartError):
        _workers.start_ahead()


class _WorkerStartError(Exception):
    """No worker process can be started."""


class _Worker:
    """A process that decodes one image at a time.

    Raises:
        _WorkerStartError: the process cannot be started.
    """

    def __init__(self) -> None:
        # In a frozen or embedding program, sys.executable is not a Python interpreter.
        name = Path(sys.executable or "").name.lower()
        if getattr(sys, "frozen", False) or not name.startswith(_INTERPRETERS):
            raise _WorkerStartError("the Python interpreter is part of another program")
        path = json.dumps([place for place in sys.path if Path(place).is_absolute()])
        self.tasks = 0
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this Python, memery's own code
                [sys.executable, "-P", "-c", _BOOTSTRAP, path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | _ONE_THREAD,
                start_new_session=True,  # Ctrl-C must reach only this process, which ends them
            )
        except OSError as error:
            raise _WorkerStartError(error.strerror or str(error)) from None

    @property
    def has_ended(self) -> bool:
        """Whether it has exited while idle."""
        return self._process.poll() is not None

    def call(self, request: Sequence[Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if not self.tasks and self._process.stdout.read(1) != _READY:
            raise _WorkerStartError("it ends before it is ready")
        self.tasks += 1
        _send(self._process.stdin, request)
        return _receive(self._process.stdout)

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self.end()

    def end(self) -> int:
        """Wait for its exit, kill it if necessary; return the exit code, negative for a signal."""
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # flushing to a closed pipe fails
                cast("IO[bytes]", pipe).close()
        try:
            # It exits at the end of its input, if it has not crashed already.
            return self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def detach(self) -> None:
        """Release it in a forked process, since it is the parent's child."""
        self._process.returncode = 0  # prevents waiting for it
        self.end()


class _WorkerPool(ForkAware):
    """A pool of idle workers."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._idle: list[_Worker] = []
        self.watch_forks()

    def after_fork(self, *, in_child: bool) -> None:
        """Release the workers in a child process, since they belong to the parent."""
        if in_child:
            for worker in self._idle:
                worker.detach()
            self._mutex, self._idle = threading.Lock(), []

    def call(self, request: Sequence[Any], seconds: int) -> Any:
        worker = self._take_idle()
        try:
            reply = worker.call(request)
        except _WorkerStartError:
            worker.kill()
            raise
        except (*_RECEIVE_ERRORS, OSError):
            raise _failure(worker.end(), seconds) from None
        except BaseException:
            worker.kill()
            raise
        self._give_back(worker)
        if isinstance(reply, ImageError):
            raise reply
        return reply

    def start_ahead(self) -> None:
        with self._mutex:
            if not self._idle:
                self._idle.append(_Worker())

    def _take_idle(self) -> _Worker:
        with self._mutex:
            while self._idle:
                worker = self._idle.pop()
                if not worker.has_ended:
                    return worker
                worker.end()  # killed by the system, for example for lack of memory
        return _Worker()

    def _give_back(self, worker: _Worker) -> None:
        with self._mutex:
            if worker.tasks < _TASKS_MAX and len(self._idle) < (os.cpu_count() or 1):
                self._idle.append(worker)
                return
        worker.end()

    def close(self) -> None:
        with self._mutex:
            while self._idle:
                self._idle.pop().kill()


_workers = _WorkerPool()
atexit.register(_workers.close)


def _failure(code: int, seconds: int) -> ImageError:
    """Return the error for a worker that exited."""
    with contextlib.suppress(ValueError):
        name = signal.Signals(-code).name
        if name == "SIGALRM":
            return ImageError(TIMED_OUT, f"no result after {seconds} s")
        if name == "SIGKILL":  # the kernel kills workers first when memory runs out
            return ImageError("too large", "it does not fit into memory")
        return ImageError(CRASHED, name)
    return ImageError(CRASHED, f"exit code {code}")


def _send(pipe: IO[bytes], value: Any) -> None:
    """Write a value as JSON, followed by the bytes that the JSON refers to by number."""
    blobs: list[bytes] = []
    text = json.dumps(_packed(value, blobs)).encode()
    sizes = [len(blob) for blob in blobs]
    pipe.write(_LENGTH_PREFIX.pack(len(text)) + text)
    pipe.write(struct.pack(f"<Q{len(sizes)}Q", len(sizes), *sizes))
    for blob in blobs:
        pipe.write(blob)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    """Read what `_send` wrote.

    Raises:
        EOFError: the other side has exited.
    """
    text = _read(pipe, *_LENGTH_PREFIX.unpack(_read(pipe, _LENGTH_PREFIX.size)))
    (count,) = _LENGTH_PREFIX.unpack(_read(pipe, _LENGTH_PREFIX.size))
    sizes = struct.unpack(f"<{count}Q", _read(pipe, count * _LENGTH_PREFIX.size))
    return _unpacked(json.loads(text), [_read(pipe, size) for size in sizes])


def _read(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _packed(value: Any, blobs: list[bytes]) -> Any:
    if isinstance(value, bytes):
        blobs.append(value)
        return {"bytes": len(blobs) - 1}
    if isinstance(value, list | tuple):
        return {"items": [_packed(item, blobs) for item in value]}
    if isinstance(value, ImageError):
        return {"error": [value.reason, value.detail]}
    if dataclasses.is_dataclass(value):
        fields = {
            field.name: _packed(getattr(value, field.name), blobs)
            for field in dataclasses.fields(value)
        }
        return {"class": type(value).__name__, "fields": fields}
    if hasattr(value, "tobytes"):
        blobs.append(value.tobytes())
        return {"array": len(blobs) - 1, "shape": value.shape, "dtype": str(value.dtype)}
    return value


def _unpacked(value: Any, blobs: Sequence[bytes]) -> Any:
    import numpy as np

    match value:
        case {"bytes": number}:
            return blobs[number]
        case {"items": items}:
            return tuple(_unpacked(item, blobs) for item in items)
        case {"error": [reason, detail]}:
            return ImageError(reason, detail)
        case {"class": name, "fields": fields}:
            return _CLASSES[name](**{key: _unpacked(item, blobs) for key, item in fields.items()})
        case {"array": number, "shape": shape, "dtype": dtype}:
            return np.frombuffer(blobs[number], dtype=np.dtype(dtype)).reshape(shape).copy()
    return value


def main() -> NoReturn:
    """Run a worker: process requests until the input ends."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):  # output of libraries must not mix with replies
        os.dup2(nothing, standard)
    with contextlib.suppress(OSError):  # Linux: kill this process before its parent
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    with contextlib.suppress(ImageError):  # load the decoders before the time limit applies
        formats.media_type(io.BytesIO())
    with contextlib.suppress(EOFError, BrokenPipeError):
        replies.write(_READY)
        replies.flush()
        while True:
            name, seconds, memory, arguments = _receive(requests)
            with _limited(seconds, memory):
                reply = _run(functools.partial(getattr(decoding, name), *arguments))
            _send(replies, reply)
    os._exit(0)


def _run(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except ImageError as error:
        return error


@functools.cache
def _address_space() -> int:
    """Return the address space of this process before its first image, bytes."""
    with contextlib.suppress(OSError):  # Linux
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return _BASE_BYTES


@contextlib.contextmanager
def _limited(seconds: int, memory: int) -> Any:
    """Limit time (the system kills this process) and address space (allocations fail)."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # unsupported on this system
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        memory += _address_space()
        soft = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not hasattr(signal, "setitimer"):
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
