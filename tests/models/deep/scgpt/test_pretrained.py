import json

import pytest

from scpertbias._models.deep.scgpt.pretrained import Sizes, load, read
from scpertbias._models.deep.scgpt.tokens import PAD

pytestmark = pytest.mark.scgpt

GENES = [f"G{i}" for i in range(11)]
VOCAB = {name: i for i, name in enumerate([*GENES, PAD, "<cls>", "<eoc>"])}
ARGS = {"embsize": 16, "nheads": 2, "d_hid": 24, "nlayers": 2, "n_layers_cls": 3, "pad_token": PAD, "dropout": 0.2}


@pytest.fixture(scope="module")
def published():
    """The tensors of scGPT's own pretraining model, under the names that flash-attention gives them in the files."""
    import torch

    from scpertbias._models.deep.scgpt.imports import scgpt_model

    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = scgpt_model().TransformerModel(
            len(VOCAB), 16, 2, 24, 2, nlayers_cls=3, n_cls=1, vocab=VOCAB, do_mvc=True, use_fast_transformer=False
        )
    return {name.replace("in_proj_", "Wqkv."): tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.fixture
def folder(tmp_path, published):
    def make(tensors=published, args=ARGS, vocab=VOCAB):
        import torch

        torch.save(tensors, tmp_path / "best_model.pt")
        (tmp_path / "args.json").write_text(json.dumps(args))
        (tmp_path / "vocab.json").write_text(json.dumps(vocab))
        return tmp_path

    return make


def build_for(checkpoint):
    from scpertbias._models.deep.scgpt.model import build

    return build(checkpoint.sizes, checkpoint.vocabulary, seed=1)


def test_the_published_layout_loads_with_every_tensor_accounted_for(folder, published):
    import torch

    checkpoint = read(folder())
    assert checkpoint.sizes == Sizes(d_model=16, n_heads=2, d_hid=24, n_layers=2, n_layers_cls=3)
    model = build_for(checkpoint)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    account = load(model, checkpoint)
    after = model.state_dict()
    in_file = {name.replace("Wqkv.", "in_proj_"): tensor for name, tensor in published.items()}
    assert "transformer_encoder.layers.1.self_attn.in_proj_weight" in account.loaded
    # by hand: the three parts that scGPT's tutorial takes, each tensor bit for bit, and no other one touched
    for name, tensor in after.items():
        taken = name.split(".")[0] in {"encoder", "value_encoder", "transformer_encoder"}
        assert taken == (name in account.loaded)
        assert torch.equal(tensor, in_file[name] if taken else before[name]), name
    assert sorted([*account.loaded, *account.untrained]) == sorted(after)
    assert sorted([*account.loaded, *account.unused]) == sorted(in_file)
    assert {name.split(".")[0] for name in account.untrained} == {"pert_encoder", "decoder", "cls_decoder"}


def test_scgpts_own_loader_agrees(folder, published):
    import torch

    checkpoint = read(folder())
    ours, theirs = build_for(checkpoint), build_for(checkpoint)
    load(ours, checkpoint)
    prefixes = ("encoder", "value_encoder", "transformer_encoder")
    own = theirs.state_dict()
    own.update({k.replace("Wqkv.", "in_proj_"): v for k, v in published.items() if k.startswith(prefixes)})
    theirs.load_state_dict(own)
    assert all(torch.equal(a, b) for a, b in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True))


def test_names_of_pytorchs_own_attention_load_too(folder, published):
    renamed = {name.replace("Wqkv.", "in_proj_"): tensor for name, tensor in published.items()}
    checkpoint = read(folder(tensors=renamed))
    assert load(build_for(checkpoint), checkpoint).loaded


@pytest.mark.parametrize("name", ["args.json", "best_model.pt", "vocab.json"])
def test_a_missing_file_is_named(folder, name):
    path = folder()
    (path / name).unlink()
    with pytest.raises(ValueError, match=f"contains no {name}"):
        read(path)


def test_a_file_that_would_run_code_is_not_unpickled(folder, tmp_path):
    import torch

    path = folder()
    ran = tmp_path / "ran"
    torch.save({"encoder": Harmful(str(ran))}, path / "best_model.pt")
    with pytest.raises(ValueError, match="not loaded because they could run code"):
        read(path)
    assert not ran.exists()


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_file_cut_short_is_refused(folder):
    path = folder()
    whole = (path / "best_model.pt").read_bytes()
    (path / "best_model.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="best_model.pt cannot be read"):
        read(path)
    folder()
    (path / "vocab.json").write_text('{"<pad>": 0, "A"')
    with pytest.raises(ValueError, match="vocab.json cannot be read"):
        read(path)


def test_what_is_no_state_dict_is_refused(folder, published):
    with pytest.raises(ValueError, match=r"\['epoch'\] that are not tensors"):
        read(folder(tensors={"epoch": 3, **published}))
    with pytest.raises(ValueError, match="contains a list"):
        read(folder(tensors=list(published.values())))


@pytest.mark.parametrize(
    ("vocab", "match"),
    [
        ({name: i for name, i in VOCAB.items() if name != PAD}, "but not '<pad>'"),
        ({**VOCAB, "G0": 5}, "not numbered from 0 to 13"),
        (["G0", PAD], "contains a list"),
    ],
)
def test_a_vocabulary_that_cannot_be_is_refused(folder, vocab, match):
    with pytest.raises(ValueError, match=match):
        read(folder(vocab=vocab))


@pytest.mark.parametrize("wrong", [{"embsize": None}, {"nheads": 0}, {"nlayers": "2"}])
def test_sizes_that_cannot_be_are_named(folder, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        read(folder(args={**ARGS, **wrong}))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"args": {**ARGS, "d_hid": 32}}, r"layers.0.linear1.weight has the shape 24 × 16, but 32 × 16"),
        ({"args": {**ARGS, "nlayers": 3}}, r"12 tensors are missing \(transformer_encoder.layers.2"),
        ({"args": {**ARGS, "nlayers": 1}}, r"12 tensors do not belong to this model \(transformer_encoder.layers.1"),
        ({"vocab": {**VOCAB, "more": 14}}, r"encoder.embedding.weight has the shape 14 × 16, but 15 × 16"),
    ],
)
def test_what_does_not_fit_is_named(folder, change, match):
    checkpoint = read(folder(**change))
    model = build_for(checkpoint)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match=match):
        load(model, checkpoint)
    assert all((before[name] == tensor).all() for name, tensor in model.state_dict().items())


def test_a_tensor_that_is_missing_is_named(folder, published):
    less = {name: tensor for name, tensor in published.items() if name != "value_encoder.norm.weight"}
    checkpoint = read(folder(tensors=less))
    with pytest.raises(ValueError, match="1 tensors are missing .value_encoder.norm.weight"):
        load(build_for(checkpoint), checkpoint)
