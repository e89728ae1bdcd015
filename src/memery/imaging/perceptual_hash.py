"""A picture's likeness: what is kept of it to know it again, made smaller, brighter, cut or turned.

A likeness is `LIKENESS_BYTES` bytes: the perceptual hashes (pHash, 64 bits each; Zauner 2010) of
the picture in its eight orientations, then a grey miniature of `SIDE` × `SIDE` bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

SIDE = 36
"""Of the miniature, pixels."""
ORIENTATIONS = 8
_HASH_BYTES = 8
LIKENESS_BYTES = ORIENTATIONS * _HASH_BYTES + SIDE * SIDE


def likeness(picture: Image.Image) -> bytes:
    """The likeness of a whole upright picture in RGB, which may be squeezed to any shape."""
    import imagehash
    import numpy as np
    from PIL import Image

    box = Image.Resampling.BOX
    grey = np.asarray(picture.convert("L").resize((SIDE, SIDE), box), dtype=np.uint8)
    turned = (Image.fromarray(np.ascontiguousarray(view)) for view in orientations(grey))
    hashes = [np.packbits(imagehash.phash(view).hash).tobytes() for view in turned]
    return b"".join(hashes) + grey.tobytes()


def colour(picture: Image.Image) -> int:
    """The average colour of a picture in RGB, as 0xRRGGBB."""
    from PIL import Image

    pixel = picture.resize((1, 1), Image.Resampling.BOX).tobytes()
    return int.from_bytes(pixel, "big")


def orientations(miniatures: NDArray[Any]) -> list[NDArray[Any]]:
    """Squares of shape (…, n, n) as they are, turned by 90°, 180°, 270°, and each of it mirrored.

    Mirroring swaps rows and columns, so that these eight are all there are.
    """
    import numpy as np

    mirrored = np.swapaxes(miniatures, -1, -2)
    return [np.rot90(view, k, (-2, -1)) for view in (miniatures, mirrored) for k in range(4)]


def unpacked(likenesses: Sequence[bytes]) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """Hashes of shape (n, 8) and miniatures of shape (n, SIDE, SIDE) of likenesses."""
    import numpy as np

    table = np.frombuffer(b"".join(likenesses), dtype=np.uint8).reshape(-1, LIKENESS_BYTES)
    split = ORIENTATIONS * _HASH_BYTES
    hashes = np.ascontiguousarray(table[:, :split]).view(">u8").astype(np.uint64)
    return hashes, table[:, split:].reshape(-1, SIDE, SIDE)
