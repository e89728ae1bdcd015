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
    """Says that prompts help, and records what it encodes."""

    def __init__(self, *prompts):
        super().__init__()
        self.info = replace(self.info, prompts=prompts)
        self.asked = []

    def encode_texts(self, texts):
        self.asked += texts
        return super().encode_texts(texts)


def embedding(model, text, store=None):
    return Encoder(model, store or MemoryStore()).encode_query(make_query(text), [])


def test_embeds_short_queries_with_prompts_of_the_model():
    model = Prompted("a photo of {}", "blue {}")
    vector = embedding(model, "red {}")
    assert model.asked == ["red {}", "a photo of red {}", "blue red {}"]
    alone = ColourModel().encode_texts(model.asked)
    mean = alone.mean(axis=0)
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)


def test_embeds_sentences_without_prompts():
    model = Prompted("a photo of {}")
    embedding(model, "a red house beside the sea")
    assert model.asked == ["a red house beside the sea"]


def test_remembers_a_query_for_its_prompts_only():
    store = MemoryStore()
    plain, prompted = ColourModel(), Prompted("blue {}")
    space = Encoder(plain, store).space
    with store.writing() as writer:
        writer.commit(space, [], [])
    first = embedding(plain, "red", store)
    assert embedding(prompted, "red", store) @ first < 0.95
    assert embedding(plain, "red", store) @ first == pytest.approx(1)


def test_registry_has_no_unmeasured_prompts():
    assert not any(entry.prompts for entry in registry.entries().values())


class Latin(ColourModel):
    """Knows no word that is not ASCII, as a tokenizer with an English vocabulary."""

    def encode_texts(self, texts):
        return super().encode_texts([re.sub(r"[^\x00-\x7f]+", "[UNK]", text) for text in texts])


@pytest.mark.parametrize(
    "text", ["кошка", "一只 猫", "แมว", "قطة", "고양이", "हिन्दी", "«кот»?", "🐈"]
)
def test_warns_of_texts_in_a_script_the_model_cannot_read(text):
    query = make_query([Term(text=text), Term(text="red", boost=-1), Term(text=f'"{text}"')])
    assert Encoder(Latin(), MemoryStore()).unsupported_texts(query) == (text, f'"{text}"')
    assert Encoder(StarterModel(), MemoryStore()).unsupported_texts(query) == (text, f'"{text}"')


@pytest.mark.parametrize(
    "text", ["red", "qzxv", "café", "Ünïcödé", "ｃａｔ", "кот 7", "?!", "…", "a"]
)
def test_encodes_no_more_for_texts_the_model_reads(text):
    model = Prompted()
    query = Query((Term(text=text),))
    assert Encoder(model, MemoryStore()).unsupported_texts(query) == ()
    assert model.asked == []


def test_does_not_warn_of_a_script_the_model_reads():
    query = make_query("кошка")
    assert Encoder(ColourModel(), MemoryStore()).unsupported_texts(query) == ()
