"""How the Encoder makes one vector of a query."""

import re
from dataclasses import replace

import numpy as np
import pytest

from memery.executors.encoder import Encoder
from memery.models import registry
from memery.models.starter import StarterModel
from memery.query.builder import make_query
from memery.query.terms import Query, Term
from memery.testing import ColourModel, MemoryStore


class Prompted(ColourModel):
    """Says that prompts help, and notes what it is asked for."""

    def __init__(self, *prompts):
        super().__init__()
        self.info = replace(self.info, prompts=prompts)
        self.asked = []

    def encode_texts(self, texts):
        self.asked += texts
        return super().encode_texts(texts)


def embedding(model, text, store=None):
    return Encoder(model, store or MemoryStore()).encode_query(make_query(text), [])


def test_short_queries_are_embedded_with_the_models_prompts():
    model = Prompted("a photo of {}", "blue {}")
    vector = embedding(model, "red {}")
    assert model.asked == ["red {}", "a photo of red {}", "blue red {}"]
    alone = ColourModel().encode_texts(model.asked)
    mean = alone.mean(axis=0)
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)


def test_sentences_are_embedded_as_they_are():
    model = Prompted("a photo of {}")
    embedding(model, "a red house beside the sea")
    assert model.asked == ["a red house beside the sea"]


def test_a_remembered_query_belongs_to_its_prompts():
    store = MemoryStore()
    plain, prompted = ColourModel(), Prompted("blue {}")
    space = Encoder(plain, store).space
    with store.writing() as writer:
        writer.commit(space, [], [])
    first = embedding(plain, "red", store)
    assert embedding(prompted, "red", store) @ first < 0.95
    assert embedding(plain, "red", store) @ first == pytest.approx(1)


def test_no_entry_of_the_registry_claims_what_was_not_measured():
    assert not any(entry.prompts for entry in registry.entries().values())


class Latin(ColourModel):
    """Knows no word that is not ASCII, as a tokenizer with an English vocabulary."""

    def encode_texts(self, texts):
        return super().encode_texts([re.sub(r"[^\x00-\x7f]+", "[UNK]", text) for text in texts])


@pytest.mark.parametrize(
    "text", ["кошка", "一只 猫", "แมว", "قطة", "고양이", "हिन्दी", "«кот»?", "🐈"]
)
def test_texts_in_a_script_that_the_model_cannot_read_are_told(text):
    query = make_query([Term(text=text), Term(text="red", boost=-1), Term(text=f'"{text}"')])
    assert Encoder(Latin(), MemoryStore()).unsupported_texts(query) == (text, f'"{text}"')
    assert Encoder(StarterModel(), MemoryStore()).unsupported_texts(query) == (text, f'"{text}"')


@pytest.mark.parametrize(
    "text", ["red", "qzxv", "café", "Ünïcödé", "ｃａｔ", "кот 7", "?!", "…", "a"]
)
def test_texts_that_a_model_reads_cost_nothing_more(text):
    model = Prompted()
    query = Query((Term(text=text),))
    assert Encoder(model, MemoryStore()).unsupported_texts(query) == ()
    assert model.asked == []


def test_a_model_that_reads_a_script_gives_no_warning():
    query = make_query("кошка")
    assert Encoder(ColourModel(), MemoryStore()).unsupported_texts(query) == ()
