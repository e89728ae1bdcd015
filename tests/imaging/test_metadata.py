"""What people wrote into files: found where it stands, and harmless where it is broken."""

import struct

import pytest
from PIL import Image, PngImagePlugin

from memery import Filter, index_flow, query_flow
from memery.imaging.decoding import decode
from memery.imaging.resizing import Resize
from support.images import encoded, paint

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"><rdf:Description photoshop:Headline="Regatta">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Sailing boats</rdf:li></rdf:Alt></dc:title>
<dc:subject><rdf:Bag><rdf:li>Norway</rdf:li><rdf:li>fjord</rdf:li></rdf:Bag></dc:subject>
</rdf:Description></rdf:RDF></x:xmpmeta>"""
BOMB = """<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><dc:title xmlns:dc="x">&c;</dc:title>"""


def saved(kind="JPEG", **more):
    return encoded(Image.new("RGB", (16, 16), "red"), kind, **more)


def notes(data):
    return decode(data, Resize(16, "squash"), 1000).notes.splitlines()


def exif(tags):
    written = Image.Exif()
    for tag, value in tags.items():
        written[tag] = value
    return written


def with_iptc(records):
    """A JPEG with an APP13 segment, as Adobe's Photoshop writes it (resource 0x0404)."""
    data = b"".join(
        b"\x1c" + bytes(record) + struct.pack(">H", len(value)) + value for record, value in records
    )
    block = b"8BIM\x04\x04\x00\x00" + struct.pack(">I", len(data)) + data + b"\0" * (len(data) % 2)
    payload = b"Photoshop 3.0\x00" + block
    jpeg = saved()
    return jpeg[:2] + b"\xff\xed" + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


def test_reads_description_and_keywords_from_exif():
    tags = {0x010E: "  A red\nsquare ", 0x9C9E: "holiday;été".encode("utf-16-le")}
    assert notes(saved(exif=exif(tags))) == ["A red square", "holiday;été"]


def test_ignores_descriptions_that_cameras_write():
    assert notes(saved(exif=exif({0x010E: "OLYMPUS DIGITAL CAMERA"}))) == []


def test_reads_notes_from_iptc():
    records = [((2, 5), b"Title"), ((2, 25), "Köln".encode()), ((2, 25), b"M\xfcnchen")]
    assert notes(with_iptc(records)) == ["Title", "Köln", "München"]


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_reads_notes_from_xmp(kind):
    assert sorted(notes(saved(kind, xmp=XMP.encode()))) == [
        *("Norway", "Regatta", "Sailing boats", "fjord"),
    ]


def test_reads_notes_from_png_text():
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "A chart")
    text.add_itxt("Description", "Umsätze")
    text.add_text("Software", "a program")
    assert notes(saved("PNG", pnginfo=text)) == ["A chart", "Umsätze"]


@pytest.mark.parametrize("xmp", [b"<x", b"\0\xff", BOMB.encode(), b"<a/>" + b" " * (2 << 20)])
def test_ignores_broken_and_hostile_metadata(xmp):
    assert notes(saved("WEBP", xmp=xmp)) == []


def test_shortens_long_notes():
    (note,) = notes(saved(exif=exif({0x010E: "word " * 5000})))
    assert len(note) == 10_000


def test_finds_image_by_its_keywords(tmp_path, monkeypatch):
    monkeypatch.setenv("MEMERY_MODEL", "colours")
    monkeypatch.setenv("MEMERY_CONFIG", str(tmp_path / "no-config.toml"))
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "DSC0001.jpg").write_bytes(saved(exif=exif({0x010E: "Fishing boats near Bergen"})))
    for number in range(5):
        paint(folder / f"{number}.png", "blue", (16 + number, 16))
    index_flow(folder)
    hit = query_flow(folder, "bergen boats")[0]
    assert (hit.path, hit.signals[-1].name, hit.weak) == ("DSC0001.jpg", "name", False)
    assert [found.path for found in query_flow(folder, 'a "fishing boats"')] == ["DSC0001.jpg"]
    assert query_flow(folder, "red", where=Filter(quoted=("bergen",))).total == 1
    (folder / "DSC0001.jpg").rename(folder / "moved.jpg")
    assert query_flow(folder, "bergen boats")[0].path == "moved.jpg"
