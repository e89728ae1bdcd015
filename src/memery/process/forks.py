"""Fork safety: a child process must not share threads, locks and connections with its parent.

Only the thread that forked exists in the child. There, thread pools of native code wait forever for
threads that do not exist; a lock held by another thread stays locked; a module that another thread
was importing stays locked and incomplete; and SQLite connections and their locks must not be used
in two processes.
"""

from __future__ import annotations

import _imp
import os
import sys
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from inspect import isclass
from threading import RLock, get_ident
from weakref import ref

_IMPORT_SECONDS, _POLL_SECONDS = 5.0, 0.001
"""How long a fork waits for the imports of other threads, and how often it polls."""
_watching: set[ref[ForkAware]] = set()


class ForkAware:
    """Base class of objects that a fork must not share; `watch_forks` registers an object."""

    def watch_forks(self) -> None:
        """Register the object for the callbacks below, for as long as it lives."""
        _watching.add(ref(self, _watching.discard))

    def before_fork(self) -> None:
        """Called before the process forks, while other threads still run."""

    def after_fork(self, *, in_child: bool) -> None:
        """Called after the process has forked; in the child no other thread exists yet."""


def abandon(thing: object) -> None:
    """Leak an object: its destructor would wait for threads that only the parent has."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _watchers() -> list[ForkAware]:
    return [thing for reference in list(_watching) if (thing := reference()) is not None]


def _before() -> None:
    called: dict[int, ForkAware] = {}
    errors: list[BaseException] = []
    while True:
        new = [thing for thing in _watchers() if id(thing) not in called]
        called |= {id(thing): thing for thing in new}
        errors += _notify(new, lambda thing: thing.before_fork())
        _stop_imports()  # last, because before_fork may import something
        if all(id(thing) in called for thing in _watchers()):
            break
        _imp.release_lock()  # another thread has registered an object in between
    _raise_all(errors)


def _notify(
    watchers: Iterable[ForkAware], call: Callable[[ForkAware], None]
) -> list[BaseException]:
    """Call each watcher, even if others raise; return the errors."""
    errors: list[BaseException] = []
    for thing in watchers:
        try:
            call(thing)
        except BaseException as error:  # raised after the last call
            errors.append(error)
    return errors


def _raise_all(errors: list[BaseException]) -> None:
    """Raise the errors of watchers; Python prints them, because a fork cannot be stopped."""
    if errors:
        raise BaseExceptionGroup("errors around a fork", errors)


def _stop_imports() -> None:
    """Wait until no other thread is importing, and block further imports.

    A thread takes the lock of a module while it holds the global import lock, which is held here
    until the process has forked.
    """
    until = time.monotonic() + _IMPORT_SECONDS
    while True:
        _imp.acquire_lock()
        if not _others_import() or time.monotonic() > until:
            return
        _imp.release_lock()
        time.sleep(_POLL_SECONDS)


def _others_import() -> bool:
    """Whether another thread is importing: module locks exist only during imports."""
    locks = getattr(sys.modules.get("importlib._bootstrap"), "_module_locks", {})
    held = [lock for reference in list(locks.values()) if (lock := reference()) is not None]
    return any(lock.owner != get_ident() for lock in held)


def _in_parent() -> None:
    errors = _notify(_watchers(), lambda thing: thing.after_fork(in_child=False))
    _imp.release_lock()
    _raise_all(errors)


def _in_child() -> None:
    # The OpenMP runtime of faiss has a pool per calling thread, and that of this thread does not
    # exist in the child. With one OpenMP thread it is not used; new threads are not affected.
    if faiss := sys.modules.get("faiss"):
        faiss.omp_set_num_threads(1)
    if sys.version_info < (3, 12):
        _renew_property_locks()
    errors = _notify(_watchers(), lambda thing: thing.after_fork(in_child=True))
    _imp.release_lock()
    _raise_all(errors)


def _renew_property_locks() -> None:
    """Replace the locks of cached properties (until Python 3.12): another thread may hold them."""
    modules = [module for name, module in sys.modules.items() if name.startswith("memery.")]
    classes = {kind for module in modules for kind in vars(module).values() if isclass(kind)}
    for attribute in [value for kind in classes for value in vars(kind).values()]:
        if isinstance(attribute, cached_property):
            attribute.lock = RLock()  # type: ignore[attr-defined]  # not in typeshed


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
