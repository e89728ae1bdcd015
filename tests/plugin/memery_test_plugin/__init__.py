"""Models that the tests install like a third party's, through entry points."""

import os
import time

import numpy as np

from memery.testing import ColourModel as _ColourModel


class ColourModel(_ColourModel):
    """memery's test double, as slow and as much changed as the environment says."""

    def __init__(self):
        super().__init__(fingerprint=os.environ.get("COLOURS_FINGERPRINT", "c0105"))

    def encode_images(self, images):
        time.sleep(float(os.environ.get("COLOURS_SECONDS", "0")))
        return super().encode_images(images)


class BrokenModel(_ColourModel):
    """Gives numbers that are none."""

    def __init__(self):
        super().__init__(model_id="broken")

    def encode_images(self, images):
        return np.full_like(super().encode_images(images), np.nan)
