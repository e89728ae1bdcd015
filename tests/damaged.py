"""Image files that are damaged in known ways, and files that promise more than they hold."""

import io

import numpy as np
from PIL import Image


def encoded(image, format_, **options):
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def noise(height=64, width=64, seed=0):
    values = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def damaged_avif():
    """Its headers are whole, its decoder fails: Pillow raises RuntimeError."""
    data = encoded(noise(), "AVIF")
    start = data.index(b"mdat") + 4
    return data[:start] + b"\xff" * 56 + data[start + 56 :]
