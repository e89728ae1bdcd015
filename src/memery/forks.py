"""What a process that forks must not share with its child: threads, locks and connections.

In the child only the thread that forked goes on. The thread pools of native code wait there for
threads that are gone, for ever; a lock that another thread held stays locked; and SQLite forbids
that a connection, or its locks, are used in two processes.
"""

from __future__ import annotations

import os
import sys
from functools import cached_property
from inspect import isclass
from threading import RLock
from weakref import WeakSet

_objects: WeakSet[ForkAware] = WeakSet()


class ForkAware:
    """Something that forks must not share; told of every fork after `watch_forks`."""

    def watch_forks(self) -> None:
        """From now on, be told; for as long as the object lives."""
        _objects.add(self)

    def before_fork(self) -> None:
        """The process is about to fork; other threads still run."""

    def after_fork(self, *, in_child: bool) -> None:
        """The process has forked; in the child no other thread runs yet."""


def abandon(thing: object) -> None:
    """Never destroy an object: its destructor would wait for threads that only the parent has."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _before() -> None:
    for thing in list(_objects):
        thing.before_fork()


def _in_parent() -> None:
    for thing in list(_objects):
        thing.after_fork(in_child=False)


def _in_child() -> None:
    # The OpenMP of faiss's package has a pool for each thread that uses it: the pool of this thread
    # stayed in the parent. With one thread none is asked for; threads that begin now are not meant.
    if faiss := sys.modules.get("faiss"):
        faiss.omp_set_num_threads(1)
    if sys.version_info < (3, 12):
        _renew_property_locks()
    for thing in list(_objects):
        thing.after_fork(in_child=True)


def _renew_property_locks() -> None:
    """Until Python 3.12 a cached property has a lock, held by a thread that loads a model, say."""
    modules = [module for name, module in sys.modules.items() if name.startswith("memery.")]
    classes = {kind for module in modules for kind in vars(module).values() if isclass(kind)}
    for attribute in [value for kind in classes for value in vars(kind).values()]:
        if isinstance(attribute, cached_property):
            attribute.lock = RLock()  # type: ignore[attr-defined]  # not in typeshed


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
