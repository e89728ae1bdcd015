"""The evaluations and benchmarks run against the current interfaces."""

import importlib
import pkgutil

import benchmarks
import evaluation
import pytest
from evaluation import memes

from memery.query.filters import Filter
from memery.stores.derived import count
from memery.stores.records import Content, IndexRecord, RecognizedText, Space
from memery.testing import MemoryStore
from memery.types import FileEntry, Line

MODULES = [
    info.name
    for package in (benchmarks, evaluation)
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    if not info.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_imports_every_measurement(name):
    importlib.import_module(name)


def test_adds_distractors_and_reads_the_recognised_text():
    import numpy as np

    store, space = MemoryStore(), Space("colours", "1", 4)
    content = Content(4, 4, "PNG", None, np.array([1, 0, 0, 0], dtype=np.float32))
    text = RecognizedText("a" * 64, "none", (Line("hello", 1.0, (0.0, 0.0, 1.0, 1.0)),))
    with store.writing() as writer:
        writer.commit(space, [IndexRecord(FileEntry("one.png", 1, 1), "a" * 64, content)], [])
        writer.commit_texts([text])
    memes.distract(store, ["a caption", "another"])
    assert memes._texts(store, {"one.png": []}) == {"one.png": "hello"}
    with store.snapshot() as snapshot:
        assert count(snapshot, space, Filter()) == 3
