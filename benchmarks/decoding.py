"""Peak memory of decoding in bytes per pixel, by format and mode."""

import argparse
import gc
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.measure import say
from memery.imaging.decoding import decode, webp
from memery.imaging.resizing import Resize

SIDE = 5_000
"""Side of the images, pixels: 25 megapixels."""
_RESIZE = Resize(224, "shortest")
_NO_LIMIT = 1 << 40


def cases() -> dict[str, tuple[Image.Image, str, dict[str, object]]]:
    """The cases by name: image, format and options of `save`."""
    ramp = np.linspace(0, 65_535, SIDE, dtype=np.uint16)
    deep = Image.fromarray(np.tile(ramp, (SIDE, 1)))
    grey = Image.fromarray(np.tile((ramp >> 8).astype(np.uint8), (SIDE, 1)))
    rgb = Image.merge("RGB", (grey, grey.rotate(90), grey.rotate(180)))
    rgba = Image.merge("RGBA", (*rgb.split(), grey))
    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "JPEG": (rgb, "JPEG", {}),
        "JPEG progressive 4:2:0": (rgb, "JPEG", {"progressive": True}),
        "JPEG progressive 4:4:4": (rgb, "JPEG", {"progressive": True, "subsampling": 0}),
        "JPEG CMYK": (rgb.convert("CMYK"), "JPEG", {}),
        "PNG grey": (grey, "PNG", {"compress_level": 1}),
        "PNG grey 16 bits": (deep, "PNG", {"compress_level": 1}),
        "PNG palette": (rgb.quantize(), "PNG", {"compress_level": 1}),
        "PNG RGB": (rgb, "PNG", {"compress_level": 1}),
        "PNG RGB turned": (rgb, "PNG", {"compress_level": 1, "exif": exif}),
        "PNG RGBA": (rgba, "PNG", {"compress_level": 1}),
        "PNG RGBA turned": (rgba, "PNG", {"compress_level": 1, "exif": exif}),
        "GIF": (rgb.quantize(), "GIF", {}),
        "TIFF RGB": (rgb, "TIFF", {}),
        "TIFF RGB deflate": (rgb, "TIFF", {"compression": "tiff_deflate"}),
        "TIFF float": (Image.fromarray(np.tile(ramp.astype(np.float32), (SIDE, 1))), "TIFF", {}),
        "TIFF CMYK": (rgb.convert("CMYK"), "TIFF", {}),
        "BMP": (rgb, "BMP", {}),
        "PPM": (rgb, "PPM", {}),
        "WEBP": (rgb, "WEBP", {"method": 0}),
        "WEBP lossless RGBA": (rgba, "WEBP", {"method": 0, "lossless": True, "quality": 0}),
        "AVIF": (rgb, "AVIF", {"speed": 10}),
        "AVIF RGBA 4:4:4": (rgba, "AVIF", {"speed": 10, "subsampling": "4:4:4"}),
        "HEIF": (rgb, "HEIF", {"quality": 50}),
    }


def peak_bytes(use: Callable[[], object]) -> int:
    """Peak growth of memory during a call, bytes (Linux, proc(5): clear_refs)."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = _memory("VmRSS")
    use()
    return _memory("VmHWM") - before


def _memory(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) * 1024


def child() -> None:
    """Decode standard input and print the peak in bytes per pixel."""
    data = sys.stdin.buffer.read()
    for format_, mode in (("JPEG", "RGB"), ("PNG", "RGBA"), ("PNG", "I;16")):  # imports
        buffer = io.BytesIO()
        Image.new(mode, (640, 640)).save(buffer, format_)
        decode(buffer.getvalue(), _RESIZE, _NO_LIMIT)
    ways = {
        "model": lambda: decode(data, _RESIZE, _NO_LIMIT),
        "thumbnail": lambda: webp(data, 320, _NO_LIMIT),
    }
    peaks = {name: round(peak_bytes(use) / SIDE**2, 1) for name, use in ways.items()}
    json.dump(peaks, sys.stdout)


def run(only: str = "") -> None:
    """Measure each case in a separate process."""
    for name, (image, format_, options) in cases().items():
        if only not in name:
            continue
        buffer = io.BytesIO()
        image.save(buffer, format_, **options)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.decoding", "--child"],
            input=buffer.getvalue(),
            capture_output=True,
            check=True,
        )
        say(f"decoding {name}", **json.loads(done.stdout))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--child", action="store_true")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    if arguments.child:
        child()
    else:
        import pillow_heif

        pillow_heif.register_heif_opener()
        run(arguments.only)
