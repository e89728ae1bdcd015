"""Test doubles for users of memery: small, deterministic, without files or weights.

`ColourModel` embeds colours, and `MemoryStore` keeps everything in memory; both pass the contract
tests of their interfaces. `ColourReader` is an OCR engine that recognises colours.
"""

from memery.testing.model import COLOURS, ColourModel
from memery.testing.reader import ColourReader
from memery.testing.store import MemoryStore

__all__ = ["COLOURS", "ColourModel", "ColourReader", "MemoryStore"]
