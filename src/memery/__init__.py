"""Find the meme you are looking for: search a folder of images by text or by image.

    from memery import Memery, index_flow, query_flow

    for hit in query_flow("photos", "a dog on a beach"):
        print(hit.score, hit.path)

The public names are loaded on first use, so that `import memery` is fast.
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

# Plug-ins import libraries too, so telemetry is turned off as soon as memery is imported.
disable_telemetry()

_MODULES = {
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

__all__ = [  # noqa: PLE0604 - computed, so that each name is listed once
    *_MODULES,
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    if name == "__version__":
        from importlib.metadata import version

        return version("memery")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
