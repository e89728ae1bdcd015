"""Compare what a command prints, whose numbers depend on the processor in their last digits."""

import re
from itertools import zip_longest

_DECIMAL = re.compile(r"( *)(?<![\w.-])(-?\d+\.\d+)(?![\w.-])")

QUANTIZED = {"relative": 0.05, "absolute": 0.02}
"""Tolerance for the starter, which is int8: its products saturate without AVX-512 VNNI.

The README's sessions on an emulated Haswell differ by up to 0.014 in a score and by 3 % in a
strength.
"""


def assert_output(
    actual: str, expected: str, *, relative: float = 0.01, absolute: float = 0.0
) -> None:
    """Fail unless two texts are equal but for what a processor makes of numbers with decimals.

    Two numbers are equal if they differ by at most the larger of `absolute` and two units in the
    last digit that is expected, plus the share `relative` of what is expected. Columns stay
    aligned where numbers have another length.
    """
    ours, theirs = _split(actual), _split(expected)
    for (text, *number), (other_text, *other) in zip_longest(ours, theirs, fillvalue=("",)):
        same = text == other_text and len(number) == len(other)
        if not (same and (not number or _near(*number, *other, relative, absolute))):
            assert actual == expected  # pytest shows the difference


def _split(output):
    """Each number with the text before it, and the text at the end."""
    end = 0
    for match in _DECIMAL.finditer(output):
        yield output[end : match.start()], *match.groups()
        end = match.end()
    yield (output[end:],)


def _near(spaces, number, other_spaces, other, relative, absolute):
    right_aligned = len(spaces + number) == len(other_spaces + other)
    unit = 10.0 ** -len(other.partition(".")[2])
    allowed = max(absolute, 2 * unit) + relative * abs(float(other))
    return (right_aligned or spaces == other_spaces) and (
        abs(float(number) - float(other)) <= allowed
    )
