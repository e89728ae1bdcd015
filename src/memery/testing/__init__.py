"""Test doubles that ship with memery: small, deterministic, without files or weights.

`ColourModel` understands colours, `MemoryStore` keeps everything in memory: both pass the contract
suites of their interfaces. `ColourReader` reads the names of colours.
"""

from memery.testing.model import COLOURS, ColourModel
from memery.testing.reader import ColourReader
from memery.testing.store import MemoryStore

__all__ = ["COLOURS", "ColourModel", "ColourReader", "MemoryStore"]
