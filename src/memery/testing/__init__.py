"""Test doubles that ship with memery: small, deterministic, without files or weights.

`ColourModel` understands colours, `MemoryStore` keeps everything in memory. Both pass the contract
suites of their interfaces.
"""

from memery.testing.model import COLOURS, ColourModel
from memery.testing.store import MemoryStore

__all__ = ["COLOURS", "ColourModel", "MemoryStore"]
