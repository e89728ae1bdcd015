"""One model for many askers at once: what they ask for at the same time becomes one batch."""

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

    Waiting = Future[NDArray[np.float32]]

logger = logging.getLogger(__name__)

BATCH = 64
"""Pictures or texts that go through the model at a time."""
WAITING = 64
"""Requests that wait for each tower; further ones are refused."""
QUEUE_TIMEOUT = 30.0
"""Seconds that a request waits for its turn."""


class SharedModel:
    """An embedding model that any number of threads may ask; each tower has a queue of its own.

    Args:
        model: what encodes; it is asked by one thread per tower.
        waiting: requests that may wait for a tower.
        patience: seconds that they wait.
    """

    def __init__(
        self, model: EmbeddingModel, *, waiting: int = WAITING, patience: float = QUEUE_TIMEOUT
    ) -> None:
        import numpy as np

        self.model = model
        self._patience = patience
        self._images = _Desk("images", model.encode_images, np.concatenate, waiting)
        self._texts = _Desk("texts", model.encode_texts, _chained, waiting)

    @property
    def info(self) -> ModelInfo:
        """The model's facts."""
        return self.model.info

    def encode_images(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode N × size × size × 3 RGB pictures as N × dim; raises `ModelBusy`."""
        return self._wait(self.submit_images(images))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode N texts as N × dim; raises `ModelBusy`."""
        return self._wait(self.submit_texts(texts))

    def submit_images(self, images: NDArray[np.uint8]) -> Waiting:
        """As `encode_images`, without waiting for the answer."""
        return self._images.submit(images)

    def submit_texts(self, texts: Sequence[str]) -> Waiting:
        """As `encode_texts`, without waiting for the answer."""
        return self._texts.submit(list(texts))

    @property
    def waiting(self) -> dict[str, int]:
        """How many requests wait for each tower."""
        return {desk.name: desk.waiting for desk in (self._images, self._texts)}

    @property
    def is_full(self) -> bool:
        """Whether a tower takes no further request now."""
        return any(desk.is_full for desk in (self._images, self._texts))

    @property
    def batches(self) -> dict[str, tuple[int, int]]:
        """How many batches went through each tower, and how many pictures or texts."""
        return {desk.name: (desk.batches, desk.items) for desk in (self._images, self._texts)}

    def close(self) -> None:
        """Stop; what waits is answered first."""
        self._images.close()
        self._texts.close()

    def _wait(self, future: Waiting) -> NDArray[np.float32]:
        wait([future], self._patience)
        return answered(future, self._patience)


def answered(
    future: Waiting | asyncio.Future[NDArray[np.float32]], patience: float
) -> NDArray[np.float32]:
    """What was waited for, or the error that the model raised.

    Raises:
        ModelBusy: there is no answer yet; the request is taken out of the line.
    """
    if not future.done():
        future.cancel()
        raise ModelBusy(f"The model did not answer within {patience:.0f} s.")
    return future.result()


class _Desk:
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
        self._queue: queue.Queue[tuple[Any, Waiting] | None] = queue.Queue(waiting)
        self._thread = threading.Thread(target=self._run, name=f"memery-{name}", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return self._queue.qsize()

    @property
    def is_full(self) -> bool:
        """Whether there is no room in the queue."""
        return self._queue.full()

    def submit(self, items: Any) -> Waiting:
        """Wait in line, or be refused at once."""
        future: Waiting = Future()
        with self._mutex:  # nothing comes to stand behind the end of the line
            if not self._is_open:
                raise ModelBusy("The model is being put away: the server is about to end.")
            if not self._thread.is_alive():
                raise ModelBusy(
                    "This process was forked from the one that the model runs in: open the folders"
                    " after the fork."
                )
            try:
                self._queue.put_nowait((items, future))
            except queue.Full:
                message = "The model has more to do than it can: try again shortly."
                raise ModelBusy(message) from None
        return future

    def close(self) -> None:
        """Answer what waits, and end."""
        with self._mutex:
            self._is_open = False
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        job = self._queue.get()
        while job is not None:
            jobs, size = [job], len(job[0])
            job = self._following()
            while job is not None and size + len(job[0]) <= BATCH:  # what came meanwhile goes along
                jobs.append(job)
                size += len(job[0])
                job = self._following()
            self._answer([pair for pair in jobs if pair[1].set_running_or_notify_cancel()])
            if job is None and not self._ended:
                job = self._queue.get()

    def _following(self) -> tuple[Any, Waiting] | None:
        """What else is waiting now, if anything is."""
        try:
            job = self._queue.get_nowait()
        except queue.Empty:
            return None
        self._ended = job is None
        return job

    def _answer(self, jobs: Sequence[tuple[Any, Waiting]]) -> None:
        if not jobs:
            return
        try:
            embeddings = self._encode(self._join([items for items, _ in jobs]))
        except Exception as error:
            if len(jobs) == 1:
                jobs[0][1].set_exception(error)
            else:  # one of them is at fault: the others get their answers
                for job in jobs:
                    self._answer([job])
            return
        self.batches += 1
        self.items += len(embeddings)
        start = 0
        for items, future in jobs:
            future.set_result(embeddings[start : start + len(items)])
            start += len(items)


def _chained(parts: Sequence[list[str]]) -> list[str]:
    return [text for part in parts for text in part]
