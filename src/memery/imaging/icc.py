"""Conversion of colours from ICC profiles to sRGB."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageCms import ImageCmsProfile, ImageCmsTransform

_MODES = {"RGB": "RGB", "CMYK": "CMYK", "GRAY": "L"}
"""Colour spaces of profiles, as Pillow names them."""
_PROFILE_MAX = 4 << 20
"""Bytes; profiles for printing have up to 3 MB."""
_KEPT = 16
_STEPS = 7
"""Steps per channel of the colours on which a profile is tested."""
_SAME = 3
"""A profile that changes no channel by more than this, of 255, counts as sRGB."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A conversion to sRGB.

    Attributes:
        mode: mode of the images to convert: "RGB", "CMYK", "L" or "LAB".
        transform: the transform of littleCMS.
    """

    mode: str
    transform: ImageCmsTransform

    def apply(self, image: Image.Image) -> Image.Image:
        """Convert an image in `mode` to RGB."""
        from PIL import ImageCms

        converted = ImageCms.applyTransform(image, self.transform)
        assert converted is not None  # None is only returned for conversions in place
        return converted


def conversion(image: Image.Image) -> Conversion | None:
    """Return the conversion from an image's profile to sRGB.

    Returns:
        None without a profile, for sRGB, and for a profile that is broken or of another colour
        space than the image.
    """
    if image.mode == "LAB":
        return _from_lab()
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or not 0 < len(profile) <= _PROFILE_MAX:
        return None
    found = _from_profile(profile)
    return found if found and found.mode == _base_mode(image) else None


def _base_mode(image: Image.Image) -> str:
    """Return the mode of an image, ignoring palette, transparency and depth."""
    if image.mode in ("CMYK", "LAB"):
        return image.mode
    grey = image.mode.startswith(("1", "L", "I", "F"))
    return "L" if grey else "RGB"


@lru_cache(_KEPT)
def _from_profile(profile: bytes) -> Conversion | None:
    """Return the conversion from a profile; None if it is sRGB or broken."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES[source.profile.xcolor_space.strip()]
        transform = ImageCms.buildTransform(source, _srgb(), mode, "RGB")
        found = Conversion(mode, transform)
        return None if _changes_nothing(found) else found
    except Exception:  # broken profiles raise various errors, and Pillow may lack littleCMS
        return None


@cache
def _from_lab() -> Conversion | None:
    from PIL import ImageCms

    lab = ImageCms.createProfile("LAB")
    return Conversion("LAB", ImageCms.buildTransform(lab, _srgb(), "LAB", "RGB"))


@cache
def _srgb() -> ImageCmsProfile:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _changes_nothing(found: Conversion) -> bool:
    """Whether a conversion leaves a sample of all colours unchanged."""
    import numpy as np
    from PIL import Image

    if found.mode == "CMYK":
        return False
    steps = np.linspace(0, 255, _STEPS if found.mode == "RGB" else 256).round().astype(np.uint8)
    channels = len(found.mode) if found.mode == "RGB" else 1
    colours = np.stack(np.meshgrid(*[steps] * channels), axis=-1).reshape(1, -1, channels)
    before = Image.fromarray(colours.squeeze(-1) if channels == 1 else colours)
    after = np.asarray(found.apply(before), dtype=np.int16)
    return bool(np.abs(after - np.asarray(before.convert("RGB"), dtype=np.int16)).max() <= _SAME)
