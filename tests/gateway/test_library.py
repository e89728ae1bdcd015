"""What the library offers to the server, used directly."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from memery import Memery, Term
from memery.errors import FolderError, ImageError, ImageUnknown, QueryError
from memery.gateway.collections import Collections
from memery.query.options import SearchOptions
from memery.query.terms import Query
from support.images import paint


@pytest.fixture
def folder(tmp_path):
    for name in ("red", "blue", "green"):
        paint(tmp_path / f"{name}.png", name, (400, 300))
    return tmp_path


def test_finds_images_by_id(folder):
    with Memery(folder) as memery:
        memery.build()
        hit = memery.recall("blue", mode="visual")[0]
        image = memery.image(hit.id)
        assert image == hit.image
        assert memery.text(image) is None
        assert memery.count() == 3
        file, media_type = memery.open(image)
        with file:
            assert (file.read(), media_type) == ((folder / "blue.png").read_bytes(), "image/png")
        with Image.open(io.BytesIO(memery.thumbnail(image, 160))) as thumbnail:
            assert thumbnail.size == (160, 120)
        assert memery.recall([Term(id=hit.id)], mode="visual")[0].id == hit.id
        assert hit.id not in [other.id for other in memery.similar(Term(id=hit.id))]
        with pytest.raises(ImageUnknown, match="search again"):
            memery.image("0" * 32)
        with pytest.raises(ImageUnknown):
            memery.similar(Term(id="0" * 32))
        (folder / "blue.png").write_bytes(b"nothing")
        with pytest.raises(ImageError, match="not an image"):
            memery.open(image)


def test_rejects_term_of_several_kinds():
    for wrong in ({}, {"text": "a", "id": "b"}, {"image": "a", "id": "b"}):
        with pytest.raises(QueryError, match="exactly one"):
            Term(**wrong)


def test_leaves_out_folders_of_other_models(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    paint(other / "red.png", "red")
    with Memery(folder) as memery:
        memery.build()
    with Memery(other, model="starter") as memery:
        memery.build()
    query = Query((Term("red"),))
    with Collections([folder, other], model="auto") as collections:
        assert len(collections.models) == 2
        found = collections.search(query, SearchOptions())
        assert (found.searched, found.omitted) == ((folder.name,), (other.name,))
        alone = collections.search(query, SearchOptions(), other.name)
        assert (alone.results.model_id, alone.results.total) == ("starter", 1)
        with pytest.raises(QueryError, match="no collection"):
            collections.search(query, SearchOptions(), "nowhere")
    with Collections([folder, folder.parent / folder.name]) as collections:
        assert len(list(collections)) == 1  # the same folder once
        assert len(collections.models) == 1


def test_gives_every_collection_its_own_name(tmp_path):
    folders = [tmp_path / "1" / "b", tmp_path / "2" / "b", tmp_path / "3" / "b-2"]
    for folder in folders:
        folder.mkdir(parents=True)
    with Collections(folders) as collections:
        searched = {c.name: c.memery.archive.searched for c in collections}
    assert searched == dict(zip(["b", "b-2", "b-2-2"], folders, strict=True))


def test_rejects_folder_inside_another(folder):
    (folder / "in").mkdir()
    for paths in ([folder, folder / "in"], [folder / "in", folder]):
        with pytest.raises(FolderError, match="appear twice"), Collections(paths):
            pass


def test_gives_same_answer_alone_and_among_collections(folder):
    with Memery(folder) as memery:
        memery.build()
        options = SearchOptions(3, sort="name")
        alone = memery.recall("red", top_k=3, sort="name")
        like = memery.similar(Term(id=alone[0].id), top_k=3, sort="name")
    with Collections([folder]) as collections:
        for expected, answer in (
            (alone, collections.search(Query((Term("red"),)), options)),
            (like, collections.similar(alone[0].id, options)),
        ):
            assert expected
            assert {hit.collection for hit in answer.results} == {folder.name}
            plain = [replace(hit, collection="", lines=None) for hit in answer.results]
            assert plain == list(expected)
            assert (answer.results.total, answer.results.strong) == (
                expected.total,
                expected.strong,
            )
