"""When an image was taken: the many forms of dates, which comes first, and what is none."""

import os
import time
from datetime import date, datetime

import pytest
from PIL import Image, PngImagePlugin

from memery import Filter, Memery, index_flow, query_flow
from memery.archive import Archive
from memery.gateway.status import status
from memery.imaging.dates import Taken, date_in_name
from memery.imaging.decoding import decode
from memery.imaging.isolation import IsolatedDecoder
from memery.imaging.resizing import Resize
from memery.stores.derived import facets
from memery.stores.sqlite.store import SQLiteStore
from support.images import encoded

TODAY = date(2024, 2, 1)
ORIGINAL, DIGITIZED, DATE_TIME = 0x9003, 0x9004, 0x0132
XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" {}/></rdf:RDF></x:xmpmeta>"""


@pytest.fixture
def kolkata(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def saved(kind="JPEG", *, tags=(), gps=(), **more):
    exif = Image.Exif()
    for tag, value in dict(tags).items():
        (exif if tag == DATE_TIME else exif.get_ifd(0x8769))[tag] = value
    for tag, value in dict(gps).items():
        exif.get_ifd(0x8825)[tag] = value
    return encoded(Image.new("RGB", (16, 16), "red"), kind, exif=exif, **more)


def taken(data):
    seen = decode(data, Resize(16, "squash"), 1000)
    return Taken(seen.taken_at, seen.date_source)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2015:06:14 12:30:05", "2015-06-14T12:30:05"),
        ("2015:06:14 12:30:05\0garbage", "2015-06-14T12:30:05"),
        ("2015:06:14 12:30:05+02:00", "2015-06-14T12:30:05"),
        ("2015:06:14 12:30:05 -0330", "2015-06-14T12:30:05"),
        ("2015:06:14 12:30:05.25", "2015-06-14T12:30:05.250000"),
        ("2015-06-14T12:30:05", "2015-06-14T12:30:05"),
        ("2015-06-14 12:30", "2015-06-14T12:30:00"),
        ("2015/06/14 12:30:05", "2015-06-14T12:30:05"),
        ("2015:06:14", "2015-06-14T00:00:00"),
        ("2017: 2: 3  4: 5: 6", "2017-02-03T04:05:06"),
        ("2017:12: 3 14: 5:16", "2017-12-03T14:05:16"),
        ("2017: 2: 3", "2017-02-03T00:00:00"),
        ("0000: 0: 0  0: 0: 0", None),
        ("   0: 0: 0  0: 0: 0", None),
        ("2017:  :     :  :  ", None),
        ("2017: 2:  3  4: 5: 6", None),
        ("2015:06:14 24:30:05", "2015-06-14T00:30:05"),
        ("2016:12:31 23:59:60", "2016-12-31T23:59:59"),
        ("2016:12:31 23:59:61", None),
        ("0001:01:01 00:00:00", "0001-01-01T00:00:00"),
        ("9999:12:31 23:59:59", "9999-12-31T23:59:59"),
        ("0000:00:00 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("2015:02:30 12:30:05", None),
        ("2015:06:14 25:30:05", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_reads_every_form_of_an_exif_date(text, at):
    assert taken(saved(tags={ORIGINAL: text})) == Taken(at, "exif" if at else "")


def test_reads_sub_seconds_and_offset_from_separate_tags():
    tags = {ORIGINAL: "2015:06:14 12:30:05", 0x9291: "042 ", 0x9011: "+09:00"}
    assert taken(saved(tags=tags)).at == "2015-06-14T12:30:05.042000"


@pytest.mark.parametrize("text", ["2015-06-14T20:00:00Z", "2015:06:14 20:00:00 UTC"])
def test_converts_utc_to_local_time(kolkata, text):
    assert taken(saved(tags={ORIGINAL: text})).at == "2015-06-15T01:30:00"
    assert taken(saved(tags={ORIGINAL: "9999-12-31T23:59:59Z"})).at == "9999-12-31T23:59:59"


@pytest.mark.parametrize(
    "blank", ["0000:00:00 00:00:00", "0000: 0: 0  0: 0: 0", "    :  :     :  :  ", "", "   "]
)
def test_blank_date_hides_no_other_date(blank):
    later = {DIGITIZED: "2015:06:14 12:30:05", DATE_TIME: "2020:01:01 00:00:00"}
    assert taken(saved(tags={ORIGINAL: blank, **later})).at == "2015-06-14T12:30:05"
    tags = {ORIGINAL: blank, DIGITIZED: blank, DATE_TIME: "2020:01:01 00:00:00"}
    assert taken(saved(tags=tags)) == Taken("2020-01-01T00:00:00", "exif")


@pytest.mark.parametrize(
    ("attributes", "at"),
    [
        ('xmp:CreateDate="2015-06-14T12:30:05.5+02:00"', "2015-06-14T12:30:05.500000"),
        ('photoshop:DateCreated="2015-06-14"', "2015-06-14T00:00:00"),
        ('photoshop:DateCreated="1985"', "1985-01-01T00:00:00"),
        ('xmp:CreateDate="2016-01-01" exif:DateTimeOriginal="2015-06-14"', "2015-06-14T00:00:00"),
        ('xmp:CreateDate="2016-01-01" exif:DateTimeOriginal=""', "2016-01-01T00:00:00"),
        ('xmp:ModifyDate="2016-01-01"', None),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_reads_date_from_xmp(kind, attributes, at):
    xmp = XMP.format(attributes).encode()
    assert taken(saved(kind, xmp=xmp)) == Taken(at, "xmp" if at else "")
    assert taken(saved(kind, tags={DATE_TIME: "2001:01:01 00:00:00"}, xmp=xmp)).source == "exif"


def test_reads_date_from_xmp_in_a_png():
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP.format('xmp:CreateDate="2015-06-14"'))
    assert taken(saved("PNG", pnginfo=text)) == Taken("2015-06-14T00:00:00", "xmp")


def test_does_not_expand_entities_in_xmp():
    bomb = '<!DOCTYPE x [<!ENTITY a "2015-06-14">]>' + XMP.format('xmp:CreateDate="&a;"')
    assert taken(saved("WEBP", xmp=bomb.encode())) == Taken()


def test_reads_gps_time_as_utc(kolkata):
    assert taken(saved(gps={29: "2015:06:14", 7: (20.0, 0.0, 5.5)})) == Taken(
        "2015-06-15T01:30:05", "gps"
    )
    assert taken(saved(gps={29: "2016:12:31", 7: (23, 59, 60)})).at == "2017-01-01T05:29:59"
    assert taken(saved(gps={29: "2015:06:14"})).at == "2015-06-14T00:00:00"
    assert taken(saved(gps={29: "2015:06:14", 7: (99.0, 0.0, 0.0)})).at == "2015-06-14T00:00:00"
    assert taken(saved(gps={7: (20.0, 0.0, 0.0)})) == Taken()


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("IMG-20150614-WA0001.jpg", "2015-06-14T00:00:00"),
        ("2015-06-14 12.30.05.jpg", "2015-06-14T12:30:05"),
        ("2015-06-14 12.30.jpg", "2015-06-14T12:30:00"),
        ("IMG_20150614_123005.jpg", "2015-06-14T12:30:05"),
        ("IMG20150614123005.jpg", "2015-06-14T12:30:05"),
        ("PXL_20150614_123005123.jpg", "2015-06-14T12:30:05.123000"),
        ("Screenshot 2015-06-14 at 12.30.05.png", "2015-06-14T12:30:05"),
        ("Screenshot 2015-06-14 at 3.30.05\u202fPM.png", "2015-06-14T15:30:05"),
        ("Bildschirmfoto 2015-06-14 um 12.30.05.png", "2015-06-14T12:30:05"),
        ("Screenshot_20150614-123005_Maps.png", "2015-06-14T12:30:05"),
        ("signal-2015-06-14-123005.jpg", "2015-06-14T12:30:05"),
        ("signal-2015-06-14-12-30-05-123.jpg", "2015-06-14T12:30:05.123000"),
        ("photo_2015-06-14_12-30-05.jpg", "2015-06-14T12:30:05"),
        ("20150614T123005.jpg", "2015-06-14T12:30:05"),
        ("IMG_20161231_235960.jpg", "2016-12-31T23:59:59"),
        ("20150614_1234.jpg", "2015-06-14T00:00:00"),
        ("20150614_993005.jpg", "2015-06-14T00:00:00"),
        ("1965_06_14 garden.jpg", "1965-06-14T00:00:00"),
        ("2024-02-02.jpg", "2024-02-02T00:00:00"),
        ("2015-06-31.jpg", None),
        ("2015-13-01.jpg", None),
        ("2015-06_14.jpg", None),
        ("2024-02-03.jpg", None),
        ("99991231.jpg", None),
        ("18991231.jpg", None),
        ("20150614123.jpg", None),
        ("2015061412300.jpg", None),
        ("120150614.jpg", None),
        ("DSC_2015.jpg", None),
        ("d41d8cd98f0020150614e9800998ecf8.jpg", None),
        ("\udcff.jpg", None),
    ],
)
def test_reads_date_from_file_name(name, at):
    assert date_in_name(name, TODAY) == at


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MEMERY_MODEL", "colours")
    monkeypatch.setenv("MEMERY_CONFIG", str(tmp_path / "no-config.toml"))
    place = tmp_path / "photos"
    place.mkdir()
    noon = datetime(2021, 7, 1, 12).timestamp()
    files = {
        "IMG-20150614-WA0001.jpg": saved(),
        "IMG-20160614-WA0001.jpg": saved(tags={ORIGINAL: "2010:01:02 03:04:05"}),
        "notes.jpg": saved(comment=b"other bytes"),
    }
    for name, data in files.items():
        (place / name).write_bytes(data)
        os.utime(place / name, (noon, noon))
    return place


def dates(folder):
    hits = query_flow(folder, "red", sort="date", list_copies=True)
    return {hit.path: (hit.image.date, hit.image.date_source) for hit in hits}


EXPECTED = {
    "notes.jpg": ("2021-07-01T12:00:00", "file"),
    "IMG-20150614-WA0001.jpg": ("2015-06-14T00:00:00", "name"),
    "IMG-20160614-WA0001.jpg": ("2010-01-02T03:04:05", "exif"),
}


def test_names_source_of_date_in_every_result(folder):
    index_flow(folder)
    assert dates(folder) == EXPECTED
    assert list(dates(folder)) == list(EXPECTED)
    assert dict(status(folder).dates) == {"exif": 1, "name": 1, "file": 1}
    assert [hit.path for hit in query_flow(folder, "red", until="2015", since="2015")] == [
        "IMG-20150614-WA0001.jpg"
    ]
    with Memery(folder) as memery, memery.store.snapshot() as snapshot:
        months = facets(snapshot, memery.space, Filter()).months
    assert dict(months) == {"2021-07": 1, "2015-06": 1, "2010-01": 1}


def test_date_in_a_name_belongs_to_the_file_and_not_to_its_content(folder):
    index_flow(folder)
    (folder / "IMG-20150614-WA0001.jpg").rename(folder / "birthday.jpg")
    (folder / "IMG-20170101-WA0002.jpg").write_bytes((folder / "birthday.jpg").read_bytes())
    found = dates(folder)
    assert found["birthday.jpg"] == EXPECTED["notes.jpg"]
    assert found["IMG-20170101-WA0002.jpg"] == ("2017-01-01T00:00:00", "name")


def test_adds_dates_to_an_old_archive_without_encoding(folder):
    (folder / "IMG-20150614-WA0001.jpg").rename(folder / "xmp.jpg")
    xmp = XMP.format('xmp:CreateDate="2013-03-03"').encode()
    (folder / "xmp.jpg").write_bytes(saved(xmp=xmp))
    (folder / "20140404.jpg").write_bytes(saved(comment=b"named"))
    index_flow(folder)
    store = SQLiteStore(Archive(folder, folder / ".memery"))
    with store.writing(), store._db.write_transaction() as db:  # as the first memery 0.2 left it
        db.execute("UPDATE contents SET taken_at = NULL WHERE date_source != 'exif'")
        db.execute("ALTER TABLE contents DROP COLUMN date_source")
        db.execute("ALTER TABLE files DROP COLUMN named_at")
        db.execute("ALTER TABLE contents DROP COLUMN damage")
        db.execute("DROP TABLE names")
        db.execute("DROP TABLE outdated")
        db.execute("PRAGMA user_version = 2")
    store.close()
    assert status(folder).dates == {"exif": 1, "name": 1, "file": 2}
    assert len(status(folder).changes.changed) == 4
    report = index_flow(folder)
    assert (report.encoded, report.reused, report.unchanged) == (0, 4, 0)
    assert dates(folder)["xmp.jpg"] == ("2013-03-03T00:00:00", "xmp")
    assert status(folder).dates == {"exif": 1, "xmp": 1, "name": 1, "file": 1}
    assert index_flow(folder).unchanged == 4


def test_reads_dates_in_child_processes():
    data = saved(tags={ORIGINAL: "2015:06:14 12:30:05"})
    expected = Taken("2015-06-14T12:30:05", "exif")
    assert IsolatedDecoder(20).read_date(data, 1000) == expected
    assert IsolatedDecoder(20).read_date(b"words", 1000) == Taken()
