"""Threads that a process can end without, should one of them never come back."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_JOIN_SECONDS = 5.0


class DaemonPool:
    """A thread pool; the one of `concurrent.futures` waits for its threads when Python ends.

    Args:
        threads: how many.
        name: what their names begin with.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Call a function in one of the threads; those that are submitted first begin first."""
        future: Future[R] = Future()
        self._tasks.put(partial(_settle, future, partial(function, *args, **kwargs)))
        return future

    def close(self, *, wait: bool = True) -> bool:
        """Drop what has not begun; returns whether all threads have ended.

        Args:
            wait: for what is under way, some seconds.
        """
        with contextlib.suppress(queue.Empty):
            while True:
                self._tasks.get_nowait()
        for _ in self._threads:
            self._tasks.put(None)
        deadline = time.monotonic() + (_JOIN_SECONDS if wait else 0)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()


def _settle(future: Future[R], function: Callable[[], R]) -> None:
    try:
        future.set_result(function())
    except BaseException as error:
        future.set_exception(error)
