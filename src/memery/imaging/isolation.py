"""Decoding in child processes: a decoder that aborts, hangs or eats memory costs one image."""

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

_START = (
    "import json, sys; sys.path += [p for p in json.loads(sys.argv[1]) if p not in sys.path]\n"
    "from memery.imaging.isolation import main; main()"
)
_BASE_BYTES, _PIXEL_BYTES = 1 << 30, 2 * BYTES_PER_PIXEL
"""Address space that a child may take for an image: for the file and the decoder's threads, and
for each pixel of the limit twice what `memery.imaging.decoding` allows itself."""
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""numpy's threads, one per processor, would take gigabytes of address space on a large machine."""
_INTERPRETERS = ("python", "pypy", "graalpy")
"""What the names of programs that run Python code begin with."""
_READY = b"r"
"""What a child sends first: one that ends before it has no fault of an image."""
_HEAD = struct.Struct("<Q")
_TASKS_MAX = 1000
"""Images after which a child is replaced: what it leaks, and what its allocator keeps, goes."""
_BROKEN = (EOFError, ValueError, LookupError, TypeError, ArithmeticError, MemoryError, struct.error)
"""What reading from a child raises that has ended, or that sends nonsense."""
_CLASSES: dict[str, type[Any]] = {"Decoded": Decoded, "Resize": Resize, "Taken": Taken}


class ImageDecoder(Protocol):
    """What `memery.imaging.decoding` does, in this process or in others.

    The module itself is one: nothing to start, and nothing to send. memery uses it where no decoder
    has died yet.
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
    """`memery.imaging.decoding` in child processes, which all callers share.

    Each method raises ImageError with the reason `CRASHED` or `TIMED_OUT` besides its own.

    Args:
        seconds: how long a child may take for an image.
        is_optional: decode in this process where no child can be started.
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
            return cast(R, _children.call(request, self._seconds))
        except _NoChildError as error:
            if not self._is_optional:
                raise ImageError(CRASHED, f"no process can be started: {error}") from None
        return function(*args, **kwargs)


def start_ahead() -> None:
    """Let a child start, if none is idle, while the caller does what comes before decoding."""
    with contextlib.suppress(_NoChildError):
        _children.start_ahead()


class _NoChildError(Exception):
    """Here no child process can be started."""


class _Child:
    """A process that decodes one image after the other.

    Raises:
        _NoChildError: it cannot be started.
    """

    def __init__(self) -> None:
        # Frozen into a program, or embedded in one, Python is not what would be started.
        name = Path(sys.executable or "").name.lower()
        if getattr(sys, "frozen", False) or not name.startswith(_INTERPRETERS):
            raise _NoChildError("the Python interpreter is part of another program")
        path = json.dumps([place for place in sys.path if Path(place).is_absolute()])
        self.tasks = 0
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this Python, memery's own code
                [sys.executable, "-P", "-c", _START, path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | _ONE_THREAD,
                start_new_session=True,  # Ctrl-C is for this process: it ends its children
            )
        except OSError as error:
            raise _NoChildError(error.strerror or str(error)) from None

    @property
    def has_ended(self) -> bool:
        """Whether it has ended while it was idle."""
        return self._process.poll() is not None

    def call(self, request: Sequence[Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if not self.tasks and self._process.stdout.read(1) != _READY:
            raise _NoChildError("it ends before it is ready")
        self.tasks += 1
        _send(self._process.stdin, request)
        return _receive(self._process.stdout)

    def kill(self) -> None:
        """End it whatever it does."""
        self._process.kill()
        self.end()

    def end(self) -> int:
        """Kill it if need be; returns its exit code, negative for a signal."""
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # what is left to flush goes nowhere
                cast("IO[bytes]", pipe).close()
        try:
            # One that has crashed is about to be reaped; one that is well ends with its input.
            return self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def disown(self) -> None:
        """Let go of it in a forked process: it is the parent's."""
        self._process.returncode = 0  # not to be waited for here
        self.end()


class _Children(ForkAware):
    """Idle children, kept for whoever decodes next."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._idle: list[_Child] = []
        self.watch_forks()

    def after_fork(self, *, in_child: bool) -> None:
        """In a child, begin without any: they are the parent's."""
        if in_child:
            for child in self._idle:
                child.disown()
            self._mutex, self._idle = threading.Lock(), []

    def call(self, request: Sequence[Any], seconds: int) -> Any:
        child = self._take()
        try:
            reply = child.call(request)
        except _NoChildError:
            child.kill()
            raise
        except (*_BROKEN, OSError):
            raise _failure(child.end(), seconds) from None
        except BaseException:
            child.kill()
            raise
        self._give_back(child)
        if isinstance(reply, ImageError):
            raise reply
        return reply

    def start_ahead(self) -> None:
        with self._mutex:
            if not self._idle:
                self._idle.append(_Child())

    def _take(self) -> _Child:
        with self._mutex:
            while self._idle:
                child = self._idle.pop()
                if not child.has_ended:
                    return child
                child.end()  # the system has ended it: it is short of memory, say
        return _Child()

    def _give_back(self, child: _Child) -> None:
        with self._mutex:
            if child.tasks < _TASKS_MAX and len(self._idle) < (os.cpu_count() or 1):
                self._idle.append(child)
                return
        child.end()

    def close(self) -> None:
        with self._mutex:
            while self._idle:
                self._idle.pop().kill()


_children = _Children()
atexit.register(_children.close)


def _failure(code: int, seconds: int) -> ImageError:
    """Why a child has ended."""
    with contextlib.suppress(ValueError):
        name = signal.Signals(-code).name
        if name == "SIGALRM":
            return ImageError(TIMED_OUT, f"no result after {seconds} s")
        if name == "SIGKILL":  # the system is out of memory, and children are what it kills first
            return ImageError("too large", "it does not fit into memory")
        return ImageError(CRASHED, name)
    return ImageError(CRASHED, f"exit code {code}")


def _send(pipe: IO[bytes], value: Any) -> None:
    """Write a value: a line of JSON, and after it the bytes that the JSON refers to by number."""
    blobs: list[bytes] = []
    text = json.dumps(_packed(value, blobs)).encode()
    sizes = [len(blob) for blob in blobs]
    pipe.write(_HEAD.pack(len(text)) + text)
    pipe.write(struct.pack(f"<Q{len(sizes)}Q", len(sizes), *sizes))
    for blob in blobs:
        pipe.write(blob)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    """Read what `_send` wrote.

    Raises:
        EOFError: the other side has ended.
    """
    text = _read(pipe, *_HEAD.unpack(_read(pipe, _HEAD.size)))
    (count,) = _HEAD.unpack(_read(pipe, _HEAD.size))
    sizes = struct.unpack(f"<{count}Q", _read(pipe, count * _HEAD.size))
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
    """The child: answer requests until the input ends."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):  # what a library prints is no reply
        os.dup2(nothing, standard)
    with contextlib.suppress(OSError):  # Linux: rather this process than the one that waits for it
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
    with contextlib.suppress(ImageError):  # load the decoders before the clock runs
        formats.media_type(io.BytesIO())
    with contextlib.suppress(EOFError, BrokenPipeError):
        replies.write(_READY)
        replies.flush()
        while True:
            name, seconds, memory, arguments = _receive(requests)
            with _limited(seconds, memory):
                reply = _answer(functools.partial(getattr(decoding, name), *arguments))
            _send(replies, reply)
    os._exit(0)


def _answer(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except ImageError as error:
        return error


@functools.cache
def _address_space() -> int:
    """Bytes that this process has taken before its first image."""
    with contextlib.suppress(OSError):  # Linux
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return _BASE_BYTES


@contextlib.contextmanager
def _limited(seconds: int, memory: int) -> Any:
    """Let the system end this process when it takes too long; beyond the memory it gets no more."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # what this system cannot limit
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
