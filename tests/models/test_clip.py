"""Real layouts with tiny random weights, against what the reference implementation made of them."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from memery.errors import ModelError
from memery.imaging.decoding import decode
from memery.models.clip import ClipModel, onnx_rewrite
from memery.models.clip.encoders import ImageEncoder, TextEncoder
from memery.models.clip.preparation import prepare

FIXTURES = Path(__file__).parent.parent / "fixtures"
OWN = "own"
NAMES = [*sorted(path.name for path in (FIXTURES / "models").iterdir()), OWN]
OWN_NETWORKS = "xenova-clip"
MANIFEST = """
format = 1
dim = 16
licence = "MIT"
source = "random weights"
[image]
files = { fp32 = "onnx/vision_model.onnx" }
size = 32
mode = "shortest"
interpolation = "bicubic"
mean = [0.48145466, 0.4578275, 0.40821073]
std = [0.26862954, 0.26130258, 0.27577711]
[text]
files = { fp32 = "onnx/text_model.onnx" }
tokenizer = "tokenizer.json"
clean = "none"
context = 77
pad = 0
"""
TEXTS = json.loads((FIXTURES / "texts.json").read_text(encoding="utf-8"))
PICTURES = [
    *("landscape.jpg", "portrait.png", "tiny.png", "grey.png", "rotated.jpg", "cmyk.jpg"),
    *("alpha.png", "palette.png", "grey-alpha.png", "deep.png", "animated.gif", "large.jpg"),
]
NO_LIMIT = 1 << 40


@pytest.fixture(autouse=True)
def homes(monkeypatch, tmp_path):
    for name in ("CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Every model by its name; the own layout's has the networks of another."""
    folder = tmp_path_factory.mktemp("models") / "models"
    shutil.copytree(FIXTURES / "models", folder)
    shutil.copytree(folder / OWN_NETWORKS, folder / OWN)
    for file in ("config.json", "preprocessor_config.json"):
        (folder / OWN / file).unlink()
    (folder / OWN / "memery.toml").write_text(MANIFEST)
    return folder


def reference(name):
    with np.load(
        FIXTURES / "references" / f"{OWN_NETWORKS if name == OWN else name}.npz"
    ) as arrays:
        return dict(arrays)


def crafted(model):
    resize = model.info.resize
    files = [FIXTURES / "images" / name for name in PICTURES]
    return np.stack([decode(file.read_bytes(), resize, NO_LIMIT).pixels for file in files])


def cosines(ours, theirs):
    return (ours * theirs).sum(axis=1)


@pytest.mark.parametrize("name", NAMES)
def test_gives_embeddings_of_the_reference(models, name):
    model, expected = ClipModel(models / name, name, device="cpu"), reference(name)
    images, texts = model.encode_images(crafted(model)), model.encode_texts(TEXTS)
    assert images.dtype == texts.dtype == np.float32
    assert images.shape == expected["images"].shape == (12, model.info.dim)
    np.testing.assert_allclose(np.linalg.norm(images, axis=1), 1, atol=1e-5)
    assert dict(zip(PICTURES, cosines(images, expected["images"]) < 0.9999, strict=True)) == (
        dict.fromkeys(PICTURES, False)
    )
    assert cosines(texts, expected["texts"]).min() >= 0.9999


@pytest.mark.parametrize("name", NAMES)
def test_gives_pixels_of_the_reference(models, name):
    model, expected = ClipModel(models / name, name), reference(name)["pixels"]
    mean, std = facts(name)
    ours = crafted(model).astype(np.float64) / 255
    theirs = expected.astype(np.float64).transpose(0, 2, 3, 1) * std + mean
    assert np.abs(ours - theirs).mean(axis=(1, 2, 3)).max() <= 1 / 255


def facts(name):
    if "siglip" in name:
        return np.full(3, 0.5), np.full(3, 0.5)
    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    return np.array(mean), np.array(std)


@pytest.mark.parametrize("name", NAMES)
def test_gives_token_ids_of_the_reference(models, name):
    expected = reference(name)
    tokens = TextEncoder(prepare(models / name, "").texts).tokens
    for text, ids, length in zip(TEXTS, expected["ids"], expected["lengths"], strict=True):
        assert tokens.encode(text) == ids[:length].tolist(), text
        if name not in (OWN_NETWORKS, OWN):  # which fills nothing up
            assert tokens.fill(tokens.encode(text)) == ids.tolist(), text


@pytest.mark.parametrize("name", NAMES)
def test_embeddings_do_not_depend_on_their_batch_mates(models, name):
    model = ClipModel(models / name, name, device="cpu")
    pictures = crafted(model)
    together = model.encode_images(pictures)
    alone = np.concatenate([model.encode_images(picture[None]) for picture in pictures])
    shuffled = model.encode_images(pictures[::-1])[::-1]
    assert cosines(together, alone).min() >= 0.99999
    assert cosines(together, shuffled).min() >= 0.99999


def test_rewrites_only_what_makes_no_difference(models):
    static = prepare(models / "immich-clip", "")
    assert static.images.batch is None  # it is 1 in the file
    assert static.images.file != models / "immich-clip" / "visual" / "model.onnx"
    assert static.texts.mmap_weights
    assert not static.texts.accepts_unpadded  # its text has a fixed length
    assert prepare(models / "xenova-clip", "").texts.accepts_unpadded
    assert not prepare(models / "xenova-siglip", "").texts.accepts_unpadded  # it reads its filling
    assert prepare(models / "immich-clip", "") == static


def test_runs_texts_without_padding(models):
    made = prepare(models / "xenova-clip", "")
    runner = TextEncoder(made.texts)
    for text in TEXTS:
        ids = runner.tokens.encode(text)
        short, full = runner.run(ids, filled=False), runner.run(ids, filled=True)
        cosine = short @ full / np.linalg.norm(short) / np.linalg.norm(full)
        assert cosine >= 0.999999


def test_runs_fixed_batch_one_by_one(models, monkeypatch):
    def wrong(source, target):
        shutil.copyfile(models / "immich-uint8" / "visual" / "model.onnx", target)

    monkeypatch.setattr(onnx_rewrite, "make_batch_dynamic", wrong)
    made = prepare(models / "immich-clip", "")
    assert made.images.batch == 1
    assert made.images.file == models / "immich-clip" / "visual" / "model.onnx"
    model = ClipModel(models / "immich-clip", "x", device="cpu")
    images = ImageEncoder(made.images).encode(crafted(model))
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    assert cosines(images, reference("immich-clip")["images"]).min() >= 0.9999


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("immich-clip", "textual/tokenizer_config.json"),
        ("immich-clip", "visual/model.onnx"),
        ("immich-clip", "visual/preprocess_cfg.json"),
        ("xenova-clip", "preprocessor_config.json"),
        ("xenova-clip", "onnx/text_model.onnx"),
        ("rclip", "tokenizer/bpe_simple_vocab_16e6.txt.gz"),
        ("rclip", "ViT-B-32-256-datacomp_s34b_b86k/textual.onnx"),
    ],
)
def test_names_what_a_folder_lacks(models, tmp_path, name, missing):
    shutil.copytree(models / name, tmp_path / "model")
    (tmp_path / "model" / missing).unlink()
    with pytest.raises(ModelError, match=Path(missing).name.partition(".")[0]):
        prepare(tmp_path / "model", "")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", "{"),
        ("config.json", "[]"),
        ("config.json", "{}"),
        ("config.json", '{"embed_dim": "many", "text_cfg": {}}'),
        ("config.json", '{"embed_dim": 17, "text_cfg": {}}'),
        ("visual/preprocess_cfg.json", '{"size": [32, 48], "mean": [0, 0, 0], "std": [1, 1, 1]}'),
        ("visual/preprocess_cfg.json", '{"size": 40, "mean": [0, 0, 0], "std": [1, 1, 1]}'),
        ("visual/preprocess_cfg.json", '{"size": 32, "mean": [0, 0], "std": [1, 1, 1]}'),
        (
            "visual/preprocess_cfg.json",
            '{"size": 32, "mean": [0,0,0], "std": [1,1,1], "resize_mode": "longest"}',
        ),
        ("textual/tokenizer_config.json", '{"pad_token": "nobody"}'),
        ("textual/tokenizer.json", "{}"),
        ("textual/model.onnx", "no network"),
        ("visual/model.onnx", ""),
    ],
)
def test_rejects_invalid_description(models, tmp_path, file, content):
    shutil.copytree(models / "immich-clip", tmp_path / "model")
    (tmp_path / "model" / file).write_text(content)
    with pytest.raises(ModelError, match="model"):
        prepare(tmp_path / "model", "")


@pytest.mark.parametrize(
    ("part", "instead", "message"),
    [
        ("format = 1", "format = 2", "Update memery"),
        ("format = 1", "format =", "cannot be read"),
        ('"tokenizer.json"', '"../tokenizer.json"', "leads out of"),
        ('"onnx/text_model.onnx"', '"/etc/passwd"', "leads out of"),
        ('"onnx/text_model.onnx"', '"elsewhere.onnx"', "elsewhere.onnx"),
        ('mode = "shortest"', 'mode = "longest"', "longest"),
        ("size = 32", "size = 1000000", "1000000"),
        ("size = 32", "size = 0", "0 is not a whole number from 1 to 4096"),
        ("mean = [0.48145466, ", "mean = [", "one number per channel"),
        ('clean = "none"', 'clean = "thorough"', "thorough"),
        ("dim = 16", "", "dim"),
    ],
)
def test_rejects_invalid_manifest(models, tmp_path, part, instead, message):
    shutil.copytree(models / OWN, tmp_path / "model")
    (tmp_path / "model" / "memery.toml").write_text(MANIFEST.replace(part, instead))
    with pytest.raises(ModelError, match=message):
        prepare(tmp_path / "model", "")


def test_rejects_empty_folder_and_several_models(models, tmp_path):
    with pytest.raises(ModelError, match="a model in a supported layout"):
        prepare(tmp_path, "")
    for name in ("one", "two"):
        shutil.copytree(models / "rclip" / "ViT-B-32-256-datacomp_s34b_b86k", tmp_path / name)
    with pytest.raises(ModelError, match="one, two"):
        prepare(tmp_path, "")
    shutil.copytree(models / "rclip" / "tokenizer", tmp_path / "tokenizer")
    assert prepare(tmp_path / "one", "").dim == 16


def test_changed_file_makes_another_model(models, tmp_path):
    shutil.copytree(models / "xenova-clip", tmp_path / "model")
    before = ClipModel(tmp_path / "model", "x").info.fingerprint
    assert ClipModel(tmp_path / "model", "x").info.fingerprint == before
    shutil.copyfile(
        models / "xenova-clip" / "onnx" / "vision_model.onnx",
        tmp_path / "model" / "onnx" / "vision_model.onnx",
    )
    assert ClipModel(tmp_path / "model", "x").info.fingerprint == before
    config = tmp_path / "model" / "preprocessor_config.json"
    config.write_text(config.read_text().replace('"resample": 3', '"resample": 2'))
    changed = ClipModel(tmp_path / "model", "x").info
    assert changed.fingerprint != before
    assert changed.resize.interpolation == "bilinear"


def externalised(models, folder, location):
    """A model whose image tower has its weights in a file; returns the ONNX file."""
    shutil.copytree(models / "xenova-clip", folder)
    file = folder / "onnx" / "vision_model.onnx"
    onnx.save_model(
        onnx.load(str(file)),
        str(file),
        save_as_external_data=True,
        location="weights",
        size_threshold=0,
    )
    network = onnx.load(str(file), load_external_data=False)
    for tensor in network.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    file.write_bytes(network.SerializeToString())
    return file


def test_weights_under_any_name_are_part_of_the_fingerprint(models, tmp_path):
    file = externalised(models, tmp_path / "model", "weights")
    before = ClipModel(tmp_path / "model", "x").info
    assert "onnx/weights" in prepare(tmp_path / "model", "").digests
    weights = file.with_name("weights")
    assert before.size > weights.stat().st_size
    content = bytearray(weights.read_bytes())
    content[0] ^= 1
    weights.write_bytes(content)
    assert ClipModel(tmp_path / "model", "x").info.fingerprint != before.fingerprint
    weights.unlink()
    with pytest.raises(ModelError, match="weights"):
        prepare(tmp_path / "model", "")


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("../../outside", "outside the model's folder"),
        ("/{}/outside", "outside the model's folder"),
        ("../onnx/weights", "outside the model's folder"),
        ("link", "a link to .*outside"),
        ("folder/outside", "a link to .*outside"),
        ("missing", "missing, which is not a file"),
        ("pipe", "pipe, which is not a file"),
        (".", "which is not a file"),
        ("weights\0", "outside the model's folder"),
        ("*/_ORT_MEM_ADDR_/*", "which is not a file"),
    ],
)
def test_rejects_weights_outside_of_the_folder_and_names_them(models, tmp_path, location, message):
    file = externalised(models, tmp_path / "model", location.format(tmp_path))
    shutil.copyfile(file.with_name("weights"), tmp_path / "outside")
    file.with_name("link").symlink_to(tmp_path / "outside")
    file.with_name("folder").symlink_to(tmp_path)
    os.mkfifo(file.with_name("pipe"))
    with pytest.raises(ModelError, match=message):
        prepare(tmp_path / "model", "")


def test_accepts_links_within_the_cache_of_the_hub(models, tmp_path):
    externalised(models, tmp_path / "model", "weights")
    storage = tmp_path / "hub" / "models--some--model"
    snapshot = storage / "snapshots" / ("c" * 40)
    (storage / "blobs").mkdir(parents=True)
    for number, file in enumerate(path for path in (tmp_path / "model").rglob("*")):
        link = snapshot / file.relative_to(tmp_path / "model")
        if file.is_file():
            file.rename(storage / "blobs" / str(number))
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(storage / "blobs" / str(number), link.parent))
    images = ClipModel(snapshot, "x", device="cpu").encode_images(crafted(ClipModel(snapshot, "x")))
    assert cosines(images, reference("xenova-clip")["images"]).min() >= 0.9999
    assert "onnx/weights" in prepare(snapshot, "").digests


def test_finds_file_of_every_tensor(tmp_path):
    """Wherever a network can have a tensor, its file is found."""

    def tensor(name):
        made = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[1])
        made.data_location = TensorProto.EXTERNAL
        made.external_data.add(key="location", value=name)
        return made

    def constant(name):
        return helper.make_node("Constant", [], [f"of {name}"], value=tensor(name))

    def graph(name, nodes=(), **more):
        return helper.make_graph(list(nodes), name, [], [], **more)

    sparse = helper.make_sparse_tensor(tensor("values"), tensor("indices"), [1])
    inner = graph("inner", [constant("in a subgraph")], initializer=[tensor("of a subgraph")])
    nodes = [
        helper.make_node("If", ["x"], ["y"], then_branch=inner),
        constant("attribute"),
        helper.make_node("Odd", [], ["z"], several=[tensor("one of several")]),
        helper.make_node("Odder", [], ["a"], graphs=[graph("g", [constant("in a list")])]),
        helper.make_node("Constant", [], ["b"], sparse_value=sparse),
    ]
    function = helper.make_function(
        "local", "f", [], ["out"], [constant("in a function")], [helper.make_opsetid("", 18)]
    )
    network = helper.make_model(
        graph("main", nodes, initializer=[tensor("initializer")]), functions=[function]
    )
    training = network.training_info.add()
    training.initialization.CopyFrom(graph("start", initializer=[tensor("before training")]))
    training.algorithm.CopyFrom(graph("step", [constant("in training")]))
    (tmp_path / "network.onnx").write_bytes(network.SerializeToString())
    assert set(onnx_rewrite.external_files(tmp_path / "network.onnx")) == {
        *("initializer", "attribute", "one of several", "in a list", "values", "indices"),
        *("in a subgraph", "of a subgraph", "in a function", "before training", "in training"),
    }


def test_rejects_network_compiled_for_a_device(models, tmp_path):
    shutil.copytree(models / "xenova-clip", tmp_path / "model")
    file = tmp_path / "model" / "onnx" / "text_model.onnx"
    node = helper.make_node("EPContext", [], ["x"], ep_cache_context="/elsewhere", embed_mode=0)
    file.write_bytes(helper.make_model(helper.make_graph([node], "g", [], [])).SerializeToString())
    with pytest.raises(ModelError, match=r"text_model\.onnx is compiled for one device"):
        prepare(tmp_path / "model", "")


def test_works_with_read_only_cache(models, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    model = ClipModel(models / "immich-clip", "x", device="cpu")
    expected = reference("immich-clip")["images"]
    assert cosines(model.encode_images(crafted(model)), expected).min() >= 0.9999
