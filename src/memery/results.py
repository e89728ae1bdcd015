"""The answer to a query: a sequence of hits that a notebook shows as thumbnails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

from memery.imaging.html_grid import Picture, grid_html
from memery.query.terms import Query
from memery.types import Hit, Timings


@dataclass(frozen=True, slots=True)
class Results(Sequence[Hit]):
    """Hits, best first. Shows itself as a grid of thumbnails in a notebook.

    Attributes:
        hits: the hits of this page.
        total: images that pass the filters and the threshold, before offset and top_k.
        query: the query as understood.
        model_id: the model whose embeddings were compared.
        took: time by stage.
        strong: how many of total are not weak; None where that cannot be told: nothing stands out,
            but the archive has too few images to judge by, or the query says what to find less of.
        warnings: sentences for the user about what this search could not do; where total is 0, why.
    """

    hits: tuple[Hit, ...]
    total: int
    query: Query
    model_id: str
    took: Timings = field(default_factory=Timings)
    strong: int | None = None
    warnings: tuple[str, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, index: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[index]

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def _repr_html_(self) -> str:
        """The grid of thumbnails that a notebook shows."""
        return grid_html([Picture(hit.location, hit.path, f"{hit.score:.3f}") for hit in self.hits])
