"""A model shared by concurrent requests, which are combined into batches."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any

from memery.errors import ModelBusy
from memery.models.interface import EmbeddingModel, ModelInfo

if TYPE_CHECKING:
    import asyncio

    import numpy as np
    from numpy.typing import NDArray

    EmbeddingFuture = Future[NDArray[np.float32]]

logger = logging.getLogger(__name__)

BATCH = 64
"""Maximum number of images or texts in a batch."""
QUEUE_LIMIT = 64
"""Waiting requests per tower; further ones are rejected."""
QUEUE_TIMEOUT = 30.0
"""Seconds that a request waits for its result."""


class SharedModel:
    """An embedding model for any number of threads, with a queue for each tower.

    Args:
        model: the model, called by one thread per tower.
        waiting: maximum number of waiting requests per tower.
        timeout: seconds that a request waits for its result.
    """

    def __init__(
        self, model: EmbeddingModel, *, waiting: int = QUEUE_LIMIT, timeout: float = QUEUE_TIMEOUT
    ) -> None:
        import numpy as np

        self.model = model
        self._timeout = timeout
        self._images = BatchQueue("images", model.encode_images, np.concatenate, waiting)
        self._texts = BatchQueue("texts", model.encode_texts, _concatenate, waiting)

    @property
    def info(self) -> ModelInfo:
        """The model's facts."""
        return self.model.info

    def encode_images(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode uint8 RGB images (n, size, size, 3) to float32 (n, dim); may raise `ModelBusy`."""
        return self._wait(self.submit_images(images))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode n texts to float32 (n, dim); may raise `ModelBusy`."""
        return self._wait(self.submit_texts(texts))

    def submit_images(self, images: NDArray[np.uint8]) -> EmbeddingFuture:
        """Like `encode_images`, without waiting for the result."""
        return self._images.submit(images)

    def submit_texts(self, texts: Sequence[str]) -> EmbeddingFuture:
        """Like `encode_texts`, without waiting for the result."""
        return self._texts.submit(list(texts))

    @property
    def waiting(self) -> dict[str, int]:
        """Number of waiting requests per tower."""
        return {tower.name: tower.waiting for tower in (self._images, self._texts)}

    @property
    def is_full(self) -> bool:
        """Whether the queue of a tower is full."""
        return any(tower.is_full for tower in (self._images, self._texts))

    @property
    def batches(self) -> dict[str, tuple[int, int]]:
        """Number of batches, and of images or texts, encoded by each tower."""
        return {tower.name: (tower.batches, tower.items) for tower in (self._images, self._texts)}

    def close(self) -> None:
        """Stop after the waiting requests have been processed."""
        self._images.close()
        self._texts.close()

    def _wait(self, future: EmbeddingFuture) -> NDArray[np.float32]:
        wait([future], self._timeout)
        return result_or_busy(future, self._timeout)


def result_or_busy(
    future: EmbeddingFuture | asyncio.Future[NDArray[np.float32]], timeout: float
) -> NDArray[np.float32]:
    """Return the result of a request, or raise the error that the model raised.

    Raises:
        ModelBusy: the result is not available yet; the request is cancelled.
    """
    if not future.done():
        future.cancel()
        raise ModelBusy(f"The model did not answer within {timeout:.0f} s.")
    return future.result()


class BatchQueue:
    """The queue of one tower, and the thread that empties it."""

    def __init__(
        self,
        name: str,
        encode: Callable[[Any], NDArray[np.float32]],
        join: Callable[[Sequence[Any]], Any],
        waiting: int,
    ) -> None:
        self.name = name
        self.batches = self.items = 0
        self._ended = False
        self._is_open = True
        self._mutex = threading.Lock()
        self._encode = encode
        self._join = join
        self._queue: queue.Queue[tuple[Any, EmbeddingFuture] | None] = queue.Queue(waiting)
        self._thread = threading.Thread(target=self._run, name=f"memery-{name}", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return self._queue.qsize()

    @property
    def is_full(self) -> bool:
        """Whether the queue is full."""
        return self._queue.full()

    def submit(self, items: Any) -> EmbeddingFuture:
        """Add a request to the queue, or raise `ModelBusy` if it is full."""
        future: EmbeddingFuture = Future()
        with self._mutex:  # nothing may be queued after the end marker
            if not self._is_open:
                raise ModelBusy("The model is being unloaded: the server is shutting down.")
            if not self._thread.is_alive():
                raise ModelBusy(
                    "This process was forked from the one that runs the model. Open the folders"
                    " after the fork."
                )
            try:
                self._queue.put_nowait((items, future))
            except queue.Full:
                message = "The model has too many waiting requests. Try again shortly."
                raise ModelBusy(message) from None
        return future

    def close(self) -> None:
        """Process the waiting requests, then stop."""
        with self._mutex:
            self._is_open = False
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        job = self._queue.get()
        while job is not None:
            jobs, size = [job], len(job[0])
            job = self._next_waiting()
            while job is not None and size + len(job[0]) <= BATCH:  # what came meanwhile goes along
                jobs.append(job)
                size += len(job[0])
                job = self._next_waiting()
            self._answer([pair for pair in jobs if pair[1].set_running_or_notify_cancel()])
            if job is None and not self._ended:
                job = self._queue.get()

    def _next_waiting(self) -> tuple[Any, EmbeddingFuture] | None:
        """Take the next waiting request, if any."""
        try:
            job = self._queue.get_nowait()
        except queue.Empty:
            return None
        self._ended = job is None
        return job

    def _answer(self, jobs: Sequence[tuple[Any, EmbeddingFuture]]) -> None:
        if not jobs:
            return
        try:
            embeddings = self._encode(self._join([items for items, _ in jobs]))
        except Exception as error:
            if len(jobs) == 1:
                jobs[0][1].set_exception(error)
            else:  # one request caused the error: encode each one separately
                for job in jobs:
                    self._answer([job])
            return
        self.batches += 1
        self.items += len(embeddings)
        start = 0
        for items, future in jobs:
            future.set_result(embeddings[start : start + len(items)])
            start += len(items)


def _concatenate(parts: Sequence[list[str]]) -> list[str]:
    return [text for part in parts for text in part]
