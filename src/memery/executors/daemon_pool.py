"""A pool of daemon threads: a thread that hangs does not keep the process from ending."""

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
    """A thread pool whose threads may hang; `concurrent.futures` waits for its threads at exit.

    Args:
        threads: the number of threads.
        name: prefix of the thread names.
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
        """Call a function in one of the threads, first in, first out."""
        future: Future[R] = Future()
        self._tasks.put(partial(_run_into, future, partial(function, *args, **kwargs)))
        return future

    def close(self, *, wait: bool = True) -> bool:
        """Cancel the calls that have not started, and stop the threads.

        Args:
            wait: wait a few seconds for running calls.

        Returns:
            Whether all threads have ended.
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


def _run_into(future: Future[R], function: Callable[[], R]) -> None:
    try:
        future.set_result(function())
    except BaseException as error:
        future.set_exception(error)
