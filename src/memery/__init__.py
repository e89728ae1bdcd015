"""Find the meme you are looking for: search a folder of images by text or by picture.

    from memery import Memery, index_flow, query_flow

    for hit in query_flow("photos", "a dog on a beach"):
        print(hit.score, hit.path)

The names below are loaded when they are first used, so that `import memery` costs next to nothing.
"""

from typing import TYPE_CHECKING, Any

from memery.process.telemetry import disable_telemetry

if TYPE_CHECKING:
    from memery.core import index_flow as index_flow
    from memery.core import query_flow as query_flow
    from memery.errors import MemeryError as MemeryError
    from memery.gateway.library import Memery as Memery
    from memery.query.filters import Filter as Filter
    from memery.query.terms import Query as Query
    from memery.query.terms import Term as Term
    from memery.results import Results as Results
    from memery.types import Copy as Copy
    from memery.types import DuplicateGroup as DuplicateGroup
    from memery.types import Hit as Hit
    from memery.types import IndexReport as IndexReport
    from memery.types import Progress as Progress
    from memery.types import Skip as Skip

# Here, since plug-ins import libraries too: every use of memery, and of them, passes this line.
disable_telemetry()

_HOMES = {
    "index_flow": "memery.core",
    "query_flow": "memery.core",
    "Memery": "memery.gateway.library",
    "MemeryError": "memery.errors",
    "Filter": "memery.query.filters",
    "Query": "memery.query.terms",
    "Term": "memery.query.terms",
    "Results": "memery.results",
    **dict.fromkeys(
        (
            "Copy",
            "DuplicateGroup",
            "Hit",
            "IndexReport",
            "Progress",
            "Skip",
        ),
        "memery.types",
    ),
}

__all__ = [  # noqa: PLE0604 - exactly the names that have a home
    *_HOMES,
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Load a public name from where it lives."""
    if name == "__version__":
        from importlib.metadata import version

        return version("memery")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
