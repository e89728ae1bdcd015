"""Perceptual hashes, by which near duplicates are found.

A duplicate signature has `DUPLICATE_SIGNATURE_BYTES` bytes: the perceptual hashes (pHash, 64 bits
each; Zauner 2010) of the image in its eight orientations, then a grey miniature of `SIDE` × `SIDE`
pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

SIDE = 36
"""Side of the miniature, pixels."""
VIEWS = 8
_HASH_BYTES = 8
DUPLICATE_SIGNATURE_BYTES = VIEWS * _HASH_BYTES + SIDE * SIDE


def duplicate_signature(image: Image.Image) -> bytes:
    """Compute the duplicate signature of a whole upright RGB image of any aspect ratio."""
    import imagehash
    import numpy as np
    from PIL import Image

    box = Image.Resampling.BOX
    grey = np.asarray(image.convert("L").resize((SIDE, SIDE), box), dtype=np.uint8)
    views = (Image.fromarray(np.ascontiguousarray(view)) for view in dihedral_views(grey))
    hashes = [np.packbits(imagehash.phash(view).hash).tobytes() for view in views]
    return b"".join(hashes) + grey.tobytes()


def average_colour(image: Image.Image) -> int:
    """Compute the average colour of an RGB image, as 0xRRGGBB."""
    from PIL import Image

    pixel = image.resize((1, 1), Image.Resampling.BOX).tobytes()
    return int.from_bytes(pixel, "big")


def dihedral_views(miniatures: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the eight rotations and reflections of squares of shape (…, n, n).

    They are the squares themselves, rotated by 90°, 180° and 270°, and the same mirrored.
    """
    import numpy as np

    mirrored = np.swapaxes(miniatures, -1, -2)
    return [np.rot90(view, k, (-2, -1)) for view in (miniatures, mirrored) for k in range(4)]


def unpack_signatures(signatures: Sequence[bytes]) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """Unpack duplicate signatures to hashes (n, 8) and miniatures (n, SIDE, SIDE)."""
    import numpy as np

    table = np.frombuffer(b"".join(signatures), dtype=np.uint8).reshape(
        -1, DUPLICATE_SIGNATURE_BYTES
    )
    split = VIEWS * _HASH_BYTES
    hashes = np.ascontiguousarray(table[:, :split]).view(">u8").astype(np.uint64)
    return hashes, table[:, split:].reshape(-1, SIDE, SIDE)
