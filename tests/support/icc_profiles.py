"""ICC profiles (ICC.1:2001-04) made of numbers: wide-gamut RGB, greys, and a press of four inks."""

import itertools
import struct

D50 = (0.9642, 1.0, 0.8249)
# Primaries as XYZ, adapted to D50 (Bradford).
PRIMARIES = {
    "sRGB": ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)),
    "Display P3": ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)),
    "Adobe RGB": ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)),
    "ProPhoto": ((0.7977, 0.2880, 0.0), (0.1352, 0.7119, 0.0), (0.0313, 0.0001, 0.8249)),
}


def _number(value):
    return struct.pack(">i", round(value * 65536))


def _xyz(values):
    return b"XYZ \0\0\0\0" + b"".join(map(_number, values))


def _curve(gamma):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def _description(text):
    ascii_ = text.encode() + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(ascii_)) + ascii_ + bytes(78)


def _profile(kind, space, connection, tags):
    tags = {b"desc": _description("made of numbers"), b"wtpt": _xyz(D50), **tags}
    directory, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        directory += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = struct.pack(">I", start + len(body))
    header = size + b"lcms\x02\x10\0\0" + kind + space + connection + bytes(12) + b"acsp"
    header += bytes(28) + b"".join(map(_number, D50))
    return header.ljust(128, b"\0") + directory + body


def rgb_profile(name, gamma=2.2):
    """A profile of primaries and one curve."""
    columns = zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(_xyz, PRIMARIES[name]), strict=True)
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(gamma))
    return _profile(b"mntr", b"RGB ", b"XYZ ", {**dict(columns), **curves})


def grey_profile(gamma):
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _curve(gamma)})


def cmyk_profile():
    """A press whose inks make no colour but greys: each takes a quarter of the light."""
    ramp = bytes(range(256))
    cube = b"".join(
        bytes([round(255 * (1 - sum(inks) / 4)), 128, 128])
        for inks in itertools.product((0, 1), repeat=4)
    )
    identity = b"".join(_number(float(row == column)) for row in range(3) for column in range(3))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + 4 * ramp + cube + 3 * ramp
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table})
