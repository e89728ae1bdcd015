"""ImageNet's 1000 classes in WordNet 3.0: synonyms and hypernyms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# First lemmas of synsets that are too general to describe what an image shows.
GENERIC = frozenset(
    """abstraction;artifact;carnivore;causal agent;chordate;commodity;consumer goods;conveyance;
    covering;device;diapsid;durables;entity;establishment;even-toed ungulate;implement;instrument;
    instrumentality;living thing;location;mammal;matter;mechanism;natural object;nutriment;object;
    obstruction;organism;part;physical entity;placental;plant organ;plant part;
    reproductive structure;restraint;solid;structure;substance;unit;vertebrate;whole""".replace(
        "\n    ", ""
    ).split(";")
)
SYNSETS = Path(__file__).parent / "imagenet_synsets.txt"  # "n" + byte offset in data.noun


@dataclass(frozen=True, slots=True)
class ImageClass:
    """One class of the backbone's classifier."""

    synonyms: tuple[str, ...]  # the first is the usual name
    ancestors: tuple[str, ...]  # hypernyms' first lemmas, nearest first, without the generic ones


@dataclass(frozen=True, slots=True)
class _Synset:
    lemmas: tuple[str, ...]
    hypernyms: tuple[int, ...]


def image_classes(wordnet: Path) -> list[ImageClass]:
    """The 1000 classes in the classifier's order. `wordnet` is the folder with data.noun."""
    nouns = _read_nouns(wordnet / "data.noun")
    offsets = [int(line[1:]) for line in SYNSETS.read_text(encoding="ascii").split()]
    return [
        ImageClass(nouns[offset].lemmas, tuple(_ancestors(nouns, offset))) for offset in offsets
    ]


def _ancestors(nouns: dict[int, _Synset], offset: int) -> list[str]:
    """Breadth-first over the hypernym pointers; of a class with only generic ones, all of them."""
    names: list[str] = []
    level, seen = [offset], {offset}
    while level:
        parents = dict.fromkeys(h for synset in level for h in nouns[synset].hypernyms)
        level = [parent for parent in parents if parent not in seen]
        seen.update(level)
        names += [nouns[synset].lemmas[0] for synset in level]
    names = list(dict.fromkeys(names))
    return [name for name in names if name not in GENERIC] or names


def _read_nouns(path: Path) -> dict[int, _Synset]:
    """data.noun as described in wndb(5WN)."""
    nouns = {}
    for line in path.read_text(encoding="ascii").splitlines():
        if line.startswith(" "):  # the licence, at the top
            continue
        fields = line.split("|")[0].split()
        lemma_count = int(fields[3], 16)
        lemmas = [fields[4 + 2 * i].replace("_", " ") for i in range(lemma_count)]
        pointers = fields[4 + 2 * lemma_count + 1 :]
        hypernyms = [
            int(pointers[i + 1]) for i in range(0, len(pointers), 4) if pointers[i] in ("@", "@i")
        ]
        nouns[int(fields[0])] = _Synset(tuple(lemmas), tuple(hypernyms))
    return nouns
