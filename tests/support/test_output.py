"""What the comparison of printed output takes for equal, and what it does not."""

import pytest

from support.output import QUANTIZED, assert_output


@pytest.mark.parametrize(
    ("actual", "expected", "tolerance"),
    [
        ("   1  0.6161  13.1  a.png\n", "   1  0.6227  13.0  a.png\n", QUANTIZED),
        ("   1  0.0154  weak -0.7  a.png\n", "   1  0.0119  weak -0.9  a.png\n", QUANTIZED),
        ("   1  1.0000        9.9  a.png\n", "   1  1.0000       10.0  a.png\n", {}),
        ("   1  -0.0000  weak\n", "   1   0.0000  weak\n", {}),
        ('{"score": -0.0, "rank": 1}', '{"score": 0.0, "rank": 1}', {}),
        ('{"score": 0.635094}', '{"score": 0.635093}', {}),
    ],
)
def test_accepts_last_digits_of_another_processor(actual, expected, tolerance):
    assert_output(actual, expected, **tolerance)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ("   1  0.6161  a.png", "   1  0.6161  b.png"),
        ("   1  0.6161  a.png", "   2  0.6161  a.png"),
        ("   1  0.6161  a.png", "   1   0.6161  a.png"),
        ("   1  0.6161  a.png", "   1  0.5161  a.png"),
        ("   1  0.6161  a.png", "   1  0.6161"),
        ("   1  0.6161", "   1  0.6161  0.5"),
        ("12 images", "13 images"),
        ("memery 0.2.0", "memery 0.2.1"),
    ],
)
def test_rejects_other_output(actual, expected):
    with pytest.raises(AssertionError):
        assert_output(actual, expected)
