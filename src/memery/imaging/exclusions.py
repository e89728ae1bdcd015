"""Folders and files that scans exclude: folders of other programs, and unsupported formats."""

from __future__ import annotations

from collections import Counter

from memery.text.plurals import counted
from memery.types import Excluded

NO_MEDIA = ".nomedia"
"""Android's MediaStore ignores folders with a file of this name."""
_SYSTEM_FOLDERS = {
    name.casefold(): name
    for name in (
        *("@eaDir", "#recycle", "#snapshot"),  # Synology
        *("@Recycle", "@Recently-Snapshot"),  # QNAP
        *("$RECYCLE.BIN", "System Volume Information"),  # Windows
        "__MACOSX",  # archives packed on macOS
        "lost+found",  # ext4
    )
}
_TRASH = ".trash"
"""Prefix of the names of trash folders on Linux and macOS."""
_INCLUDE = "to include one, write a line such as !@eaDir/ into .memeryignore"

_CONVERT = "convert {them} to JPEG or PNG"
_KINDS: tuple[tuple[str, str, str], ...] = (
    (
        "RAW",
        "export {them} as JPEG",
        "3fr ari arw bay cap cr2 cr3 crw dcr dcs dng drf eip erf fff gpr iiq k25 kdc mdc mef mos"
        " mrw nef nrw orf pef ptx r3d raf raw rw2 rwl rwz sr2 srf srw x3f",
    ),
    ("JPEG XL", _CONVERT, "jxl"),
    ("JPEG 2000", _CONVERT, "j2c j2k jp2 jpc jpf jpm jpx"),
    ("JPEG XR", _CONVERT, "hdp jxr wdp"),
    ("SVG", "export {them} as PNG", "svg svgz"),
    ("Photoshop", "export {them} as JPEG or PNG", "psb psd"),
    ("drawing", "export {them} as JPEG or PNG", "afdesign afphoto ai clip eps kra xcf"),
    ("HDR", _CONVERT, "exr hdr"),
    ("icon", _CONVERT, "icns ico"),
    ("Targa", _CONVERT, "tga"),
    ("PDF", "export the pages as PNG", "pdf"),
    (
        "video",
        "extract frames as JPEG",
        "3g2 3gp avi flv m2ts m4v mkv mov mp4 mpeg mpg mts ogv vob webm wmv",
    ),
)
"""Kind, advice, and extensions in lower case."""
_KIND_OF = {
    extension: (kind, advice)
    for kind, advice, extensions in _KINDS
    for extension in extensions.split()
}
_HEIC = ("HEIC", "pip install 'memery[heif]'")
_SIGNATURES = (
    (b"\xff\x0a", "jxl"),
    (b"\0\0\0\x0cJXL \r\n", "jxl"),
    (b"\0\0\0\x0cjP  \r\n", "jp2"),
    (b"8BPS", "psd"),
    (b"FUJIFILMCCD-RAW", "raf"),
    (b"IIRO", "orf"),
    (b"IIU\0", "rw2"),
    (b"%PDF-", "pdf"),
    (b"\x1aE\xdf\xa3", "mkv"),
)
"""The first bytes of such files, and an extension of their kind."""
_BLANK = b"\xef\xbb\xbf \t\r\n"
_XML = (b"<svg", b"<?xml", b"<!--", b"<!DOCTYPE svg")
"""What SVG, which is text, may begin with, and what may precede that."""
_BRANDS = {b"crx ": "cr3", b"jp2 ": "jp2", b"jxl ": "jxl"} | dict.fromkeys(
    (b"isom", b"iso2", b"avc1", b"mp41", b"mp42", b"M4V ", b"MSNV", b"qt  ", b"3gp4", b"3gp5"),
    "mp4",
)
"""Major brands of ISO base media files (ISO/IEC 14496-12, 4.3), and an extension of their kind."""
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
SIGNATURE_BYTES = 1024
UNSUPPORTED_EXTENSIONS = frozenset(_KIND_OF)
"""Extensions of images and videos that memery cannot read, lower case."""


def describe_excluded(excluded: Excluded) -> list[str]:
    """Describe what a scan excluded, with advice: one sentence for folders, one per file kind."""
    found = []
    if excluded.folders:
        names = ", ".join(f"{name} ({count})" for name, count in sorted(excluded.folders.items()))
        total = sum(excluded.folders.values())
        found.append(f"{counted(total, 'folder')} excluded: {names}; {_INCLUDE}.")
    kinds: Counter[tuple[str, str]] = Counter()
    for extension, count in excluded.files.items():
        kinds[_KIND_OF[extension]] += count
    for (kind, advice), count in kinds.most_common():
        extensions = ", ".join(sorted(f".{e}" for e in excluded.files if _KIND_OF[e][0] == kind))
        advised = advice.format(them="it" if count == 1 else "them")
        found.append(f"{counted(count, f'{kind} file')} ({extensions}) cannot be read: {advised}.")
    return found


def unsupported(start: bytes) -> str | None:
    """Describe a file that no decoder supports, with advice; None if its format is unknown.

    Args:
        start: the first `SIGNATURE_BYTES` of its content.
    """
    known = next((ext for signature, ext in _SIGNATURES if start.startswith(signature)), None)
    if b"<svg" in start and start.lstrip(_BLANK).startswith(_XML):
        known = "svg"
    if start[4:8] == b"ftyp":
        if start[8:12] in _HEIC_BRANDS:
            return ": ".join(_HEIC)
        known = _BRANDS.get(start[8:12])
    if known is None:
        return None
    kind, advice = _KIND_OF[known]
    return f"{kind}: {advice.format(them='it')}"


def system_folder(name: str) -> str | None:
    """Return the usual spelling of the name of a system folder; None for other folders."""
    folded = name.casefold()
    return name if folded.startswith(_TRASH) else _SYSTEM_FOLDERS.get(folded)
