"""The results of a search: a sequence of hits, shown as thumbnails in a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

from memery.query.terms import Query
from memery.types import Hit, Timings


@dataclass(frozen=True, slots=True)
class Results(Sequence[Hit]):
    """Hits, best first. A notebook shows them as a grid of thumbnails.

    Attributes:
        hits: the hits of this page.
        total: images that pass the filter and the threshold, before offset and top_k.
        query: the parsed query.
        model_id: the embedding model.
        took: wall-clock time by stage.
        strong: how many of `total` are not weak. None if unknown: no hit stands out, and
            the archive has too few images to decide, or the query has negative terms.
        warnings: messages for the user: what this search could not do, and why `total` is 0.
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
        """HTML of the grid of thumbnails, for notebooks."""
        from memery.imaging.html_grid import GridCell, grid_html

        return grid_html(
            [GridCell(hit.location, hit.path, f"{hit.score:.3f}") for hit in self.hits]
        )
