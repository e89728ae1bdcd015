"""Models that the tests install like a third party's, through entry points."""

import os
import time
from pathlib import Path

import numpy as np

from memery.testing import ColourModel as _ColourModel
from memery.testing import ColourReader as _ColourReader


class ColourModel(_ColourModel):
    """memery's test double, as slow and as much changed as the environment says."""

    def __init__(self):
        super().__init__(fingerprint=os.environ.get("COLOURS_FINGERPRINT", "c0105"))

    def encode_images(self, images):
        time.sleep(float(os.environ.get("COLOURS_SECONDS", "0")))
        return super().encode_images(images)

    def encode_texts(self, texts):
        """As slow as the environment says."""
        time.sleep(float(os.environ.get("TEXTS_SECONDS", "0")))
        return super().encode_texts(texts)


class BrokenModel(_ColourModel):
    """Gives numbers that are none."""

    def __init__(self):
        super().__init__(model_id="broken")

    def encode_images(self, images):
        return np.full_like(super().encode_images(images), np.nan)


class ColourReader(_ColourReader):
    """memery's test double, as slow as the environment says; it notes every picture it reads."""

    def read(self, pixels):
        time.sleep(float(os.environ.get("READER_SECONDS", "0")))
        if "READER_LOG" in os.environ:
            with Path(os.environ["READER_LOG"]).open("a", encoding="ascii") as log:
                log.write(".")
        return super().read(pixels)
