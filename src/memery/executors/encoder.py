"""Encoder: runs the embedding model over batches, and turns a query into one vector."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from memery.errors import ArchiveError, ImageUnknown, ModelError, QueryError
from memery.executors.types import LoadedImage, PixelsMissing
from memery.models.interface import EmbeddingModel
from memery.query.filters import Filter
from memery.query.terms import Query
from memery.query.text_search.query_words import unquoted
from memery.query.text_search.tokens import tokens, with_rare_letters
from memery.stores.derived import embedding_of, image_by_id
from memery.stores.interface import Searchable
from memery.stores.records import Space

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

_NORM_MIN = 1e-6
"""A shorter sum of unit vectors has no meaningful direction."""
_EQUAL_COSINE = 0.9999
"""Minimum cosine of equal embeddings, one of which the store may have rounded."""
_PROMPT_WORDS_MAX = 3
"""Prompt templates do not improve texts with more words."""


@dataclass(frozen=True, slots=True)
class _StoredDigests:
    """The digests with an embedding in a store."""

    store: Searchable
    space: Space

    def __contains__(self, digest: object) -> bool:
        return isinstance(digest, str) and _stored(self.store, self.space, digest) is not None


class Encoder:
    """Looks embeddings up in the store, and runs the model for the others.

    Args:
        model: the embedding model.
        store: where embeddings are stored.
    """

    def __init__(self, model: EmbeddingModel, store: Searchable) -> None:
        self._model = model
        self._store = store

    @cached_property
    def space(self) -> Space:
        """The model's space."""
        info = self._model.info
        return Space(info.model_id, info.fingerprint, info.dim)

    @property
    def known(self) -> Container[str]:
        """Digests with a stored embedding, looked up one by one."""
        return _StoredDigests(self._store, self.space)

    def encode_images(self, images: Sequence[LoadedImage]) -> NDArray[np.float32]:
        """Encode the images that have pixels.

        Returns:
            float32 of shape (n, dim), L2-normalised.
        """
        import numpy as np

        pixels = [image.decoded.pixels for image in images if image.decoded is not None]
        if not pixels:
            return np.empty((0, self.space.dim), dtype=np.float32)
        return self._validated(self._model.encode_images(np.stack(pixels)), len(pixels))

    def encode_query(self, query: Query, images: Sequence[LoadedImage]) -> NDArray[np.float32]:
        """Encode a query as the normalised sum of boost × embedding.

        Args:
            query: the query.
            images: its image terms, read by the Crafter.

        Returns:
            float32 of shape (dim,).

        Raises:
            ImageUnknown: the id of a term is not in the space.
            QueryError: the terms cancel each other out.
            PixelsMissing: the store was purged since an image term was read.
        """
        import numpy as np

        crafted = iter(images)
        total = np.zeros(self.space.dim, dtype=np.float64)
        for term in query.terms:
            if term.text is not None:
                embedding = self._encode_text(unquoted(term.text))
            elif term.id is not None:
                embedding = self._look_up(term.id)
            else:
                embedding = self._encode_image(next(crafted))
            with np.errstate(over="ignore", invalid="ignore"):  # checked below
                total += term.boost * embedding.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            norm = float(np.linalg.norm(total))
        if not np.isfinite(norm):
            raise QueryError("The boosts of the query are too large. Use smaller ones.")
        if norm <= _NORM_MIN:
            raise QueryError("The terms of the query cancel each other out. Change a boost.")
        unit: NDArray[np.float32] = (total / norm).astype(np.float32)
        return unit

    def unsupported_texts(self, query: Query) -> tuple[str, ...]:
        """The texts of a query whose script is not in the vocabulary of the model.

        All such texts have the same embedding, so images cannot be compared with them.
        """
        return tuple(
            term.text
            for term in query.terms
            if term.text is not None and self._is_unsupported(unquoted(term.text))
        )

    def _is_unsupported(self, text: str) -> bool:
        other = with_rare_letters(text)
        if other is None:
            return False
        return float(self._encode_text(text) @ self._encode_text(other)) >= _EQUAL_COSINE

    def _encode_text(self, text: str) -> NDArray[np.float32]:
        """Encode a text; a short one together with the prompt templates of the model."""
        prompts = self._model.info.prompts if len(tokens(text)) <= _PROMPT_WORDS_MAX else ()
        phrases = [text, *(prompt.replace("{}", text) for prompt in prompts)]

        def encode() -> NDArray[np.float32]:
            rows = self._validated(self._model.encode_texts(phrases), len(phrases))
            mean: NDArray[np.float32] = self._validated(rows.mean(axis=0, keepdims=True), 1)[0]
            return mean

        # The embedding depends on the prompts, so they are part of the cache key.
        return self._cached("\n".join(phrases), encode)

    def _encode_image(self, image: LoadedImage) -> NDArray[np.float32]:
        stored = _stored(self._store, self.space, image.digest)
        if stored is not None:
            return stored
        if image.decoded is None:
            raise PixelsMissing(image.digest)
        embedding: NDArray[np.float32] = self.encode_images([image])[0]
        return embedding

    def _look_up(self, id_: str) -> NDArray[np.float32]:
        with self._store.snapshot() as snapshot:
            image = image_by_id(snapshot, self.space, Filter(), id_)
            stored = None if image is None else embedding_of(snapshot, self.space, image.digest)
        if stored is None:
            raise ImageUnknown(id_)
        return stored

    def _cached(self, text: str, encode: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        key = text.encode("utf-8", "replace").decode("utf-8")
        embedding = self._store.query_embedding(self.space, key)
        if embedding is not None:
            return embedding
        embedding = encode()
        try:
            self._store.remember_query(self.space, key, embedding)
        except ArchiveError as error:  # a full disk must not prevent the search
            logger.debug("The query embedding was not stored: %s", error)
        return embedding

    def _validated(self, embeddings: NDArray[np.float32], count: int) -> NDArray[np.float32]:
        """Validate and normalise embeddings."""
        import numpy as np

        expected = (count, self.space.dim)
        if embeddings.shape != expected:
            raise ModelError(
                f"The model {self.space.model_id} gave an array of shape {embeddings.shape}"
                f" instead of {expected}: report this to the author of the model."
            )
        norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
        if not np.all(norms > _NORM_MIN) or not np.isfinite(norms).all():
            raise ModelError(
                f"The model {self.space.model_id} gave an embedding that is zero or not finite:"
                " report this to the author of the model."
            )
        unit: NDArray[np.float32] = (embeddings / norms).astype(np.float32, copy=False)
        return unit


def _stored(store: Searchable, space: Space, digest: str) -> NDArray[np.float32] | None:
    with store.snapshot() as snapshot:
        return embedding_of(snapshot, space, digest)
