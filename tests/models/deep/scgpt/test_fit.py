import json
import shutil

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias._models.deep.scgpt.fit import stored_as

pytestmark = pytest.mark.scgpt

KEY = "scgpt (no pretraining)"
SMALL = {"d_model": 8, "n_layers": 1, "n_heads": 2, "n_control_cells": 30, "lr": 1e-3}


def fit(adata, *, epochs=1, **kwargs):
    spb.tl.fit_scgpt(adata, batch_key="gem_group", epochs=epochs, **{**SMALL, **kwargs})


def fitted(adata, **kwargs):
    adata = adata.copy()
    fit(adata, **kwargs)
    return adata


def record(adata, key=KEY):
    return adata.uns["scpertbias"]["models"][key]


@pytest.fixture(scope="module")
def measured(screen):
    """The screen with every target measured: its genes have the targets' names."""
    adata = screen.copy()
    targets = sorted(set(adata.obs["perturbation"]) - {"non-targeting", "unassigned"})
    genes = [g for g in adata.var_names if not g.startswith(("MT-", "RP")) and g not in targets]
    missing = [t for t in targets if t not in adata.var_names]
    adata.var_names = [dict(zip(genes, missing, strict=False)).get(g, g) for g in adata.var_names]
    return adata


@pytest.fixture(scope="module")
def trained(measured):
    return fitted(measured, epochs=3)


def test_what_is_stored(trained, measured):
    assert list(trained.layers) == [*measured.layers, KEY]
    assert trained.layers[KEY].dtype == np.float32
    stored = record(trained)
    assert stored["kind"] == "scgpt"
    predicted = spb.get.predictions(trained, KEY)
    assert predicted.notna().all().all()
    importance = spb.get.attributions(trained, KEY)
    assert importance["non-targeting"].isna().all()
    assert (importance.drop(columns="non-targeting") > 0).any().all()
    assert stored["output_gene"] in trained.var_names
    for name in (
        "epochs",
        "batch_size",
        "lr",
        "max_genes",
        "d_model",
        "d_hid",
        "n_layers",
        "n_heads",
        "dropout",
        "gamma",
    ):
        assert name in stored["params"], name
    assert stored["params"]["clip_norm"] == 1.0
    assert stored["params"]["patience"] == 5
    assert stored["params"]["scgpt_version"] == "0.2.4"
    assert list(stored["history"]["epoch"]) == [1, 2, 3]
    errors = stored["monte_carlo"].set_index("perturbation")
    assert set(errors.index) == set(predicted.index) - {"non-targeting"}
    assert (errors["n_control_cells"] == 30).all()
    assert (errors["error_rms"] > 0).all()
    assert (errors["error_rms"] < 0.1).all()


def test_validation_loss_falls_and_the_model_is_in_the_score_table(trained):
    history = record(trained)["history"]
    assert history["val_loss"].iloc[-1] < 0.8 * history["val_loss"].iloc[0]
    adata = trained.copy()
    spb.tl.fit_mean(adata, batch_key="gem_group")
    spb.tl.score(adata)
    scores = spb.get.scores(adata)
    held_out = scores[(scores["model"] == KEY) & (scores["split"] == "test")]
    assert len(held_out) == 1
    assert np.isfinite(held_out["l2"]).all()
    spb.tl.attribution_check(adata)
    flags = spb.get.attribution_check(adata).set_index("model")["flag"]
    assert flags[KEY] in {"ok", "shared"}


def test_the_name_says_that_nothing_was_pretrained():
    assert stored_as("scgpt") == KEY
    assert stored_as("mine") == "mine (no pretraining)"
    assert stored_as(KEY) == KEY
    assert stored_as("scgpt", checkpoint="folder") == "scgpt"
    assert stored_as("") == ""


def test_an_audit_looks_for_that_name():
    from scpertbias.tl._audit.cross_fit import variants

    (variant,) = variants(["scgpt"], {"scgpt": {"epochs": 1}})
    assert variant.name == KEY
    (variant,) = variants(["scgpt"], {"scgpt": {"checkpoint": "folder"}})
    assert variant.name == "scgpt"


def test_another_seed_is_another_model(measured):
    assert not np.allclose(fitted(measured, rng=1).layers[KEY], fitted(measured).layers[KEY], equal_nan=True)


def test_a_resumed_run_is_an_uninterrupted_one(measured, tmp_path):
    whole = fitted(measured, epochs=3, max_genes=11)
    fitted(measured, epochs=1, max_genes=11, checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match="resume=True"):
        fitted(measured, epochs=3, max_genes=11, checkpoint_dir=tmp_path)
    resumed = fitted(measured, epochs=3, max_genes=11, checkpoint_dir=tmp_path, resume=True)
    np.testing.assert_array_equal(resumed.layers[KEY], whole.layers[KEY])
    np.testing.assert_array_equal(resumed.varm[KEY], whole.varm[KEY])
    timed = ["seconds", "seconds_validation", "peak_memory"]
    pd.testing.assert_frame_equal(
        record(resumed)["history"].drop(columns=timed), record(whole)["history"].drop(columns=timed)
    )
    with pytest.raises(ValueError, match="max_genes"):
        fitted(measured, epochs=3, max_genes=12, checkpoint_dir=tmp_path, resume=True)


def test_a_target_that_is_not_measured(screen):
    targets = sorted(set(screen.obs["perturbation"]) - {"non-targeting", "unassigned"})
    missing = [t for t in targets if t not in screen.var_names]
    assert len(missing) > 5
    with pytest.warns(UserWarning, match="neither measured nor perturbed in training"):
        adata = fitted(screen)
    stored, predicted = record(adata), spb.get.predictions(adata, KEY)
    # from scratch only training teaches a token; FEW has too few cells to be trained on
    split = screen.obs.groupby("perturbation")["split"].first()
    untrained = [t for t in missing if split[t] != "train" or t == "FEW"]
    assert 0 < len(untrained) < len(missing)
    assert sorted(stored["unpredicted"]) == untrained
    assert list(stored["cannot_predict_reason"]) == [
        f"{name} neither measured nor perturbed in training" for name in stored["unpredicted"]
    ]
    assert predicted.index[predicted.isna().all(axis=1)].tolist() == untrained
    assert predicted.drop(untrained).notna().all().all()
    assert np.isfinite(stored["history"]["val_loss"]).all(), "their cells still tell when to stop"
    assert "not the pretrained foundation model" in stored["note"]
    assert f"{len(missing) - len(untrained)} perturbations of unmeasured genes" in stored["note"]


def test_skip_predicts_nothing_for_it_and_says_why(measured):
    less = measured[:, measured.var_names != sorted(set(measured.obs["perturbation"]))[1]].copy()
    gone = sorted(set(measured.obs["perturbation"]))[1]
    adata = fitted(less, missing_target="skip")
    stored = record(adata)
    assert list(stored["unpredicted"]) == [gone]
    assert list(stored["cannot_predict_reason"]) == [f"{gone} not measured (missing_target='skip')"]
    assert spb.get.predictions(adata, KEY).loc[gone].isna().all()
    assert spb.get.attributions(adata, KEY)[gone].isna().all()
    assert "not measured" not in stored["note"]


@pytest.fixture
def checkpoint(measured, tmp_path):
    """A checkpoint in the published layout, made by the package's pretraining model; two genes are not in it."""
    import torch

    from scpertbias._models.deep.scgpt.imports import scgpt_model

    names = [*measured.var_names[2:], "other", "<pad>", "<cls>", "<eoc>"]
    vocab = {name: i for i, name in enumerate(names)}
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = scgpt_model().TransformerModel(
            len(vocab), 8, 2, 12, 2, nlayers_cls=3, n_cls=1, vocab=vocab, use_fast_transformer=False
        )
    torch.save({k.replace("in_proj_", "Wqkv."): v for k, v in model.state_dict().items()}, tmp_path / "best_model.pt")
    sizes = {"embsize": 8, "nheads": 2, "d_hid": 12, "nlayers": 2, "n_layers_cls": 3}
    (tmp_path / "args.json").write_text(json.dumps(sizes))
    (tmp_path / "vocab.json").write_text(json.dumps(vocab))
    return tmp_path


def test_a_checkpoint_brings_its_sizes_and_its_name(measured, checkpoint):
    adata = measured.copy()
    with pytest.warns(UserWarning, match=f"2 of 24 genes are outside the vocabulary .*{measured.var_names[0]}"):
        spb.tl.fit_scgpt(adata, checkpoint=checkpoint, epochs=1, batch_key="gem_group", n_control_cells=10)
    stored = record(adata, "scgpt")
    assert [stored["params"][k] for k in ("d_model", "n_heads", "d_hid", "n_layers")] == [8, 2, 12, 2]
    assert stored["params"]["checkpoint"] == checkpoint.name
    assert "foundation model" not in stored["note"]
    assert list(stored["genes_outside_vocabulary"]) == list(measured.var_names[:2])
    assert (spb.get.attributions(adata, "scgpt").dropna(axis=1).iloc[:2] == 0).all().all()
    assert set(stored["unpredicted"]) == set(adata.obs["perturbation"]) & set(measured.var_names[:2])
    assert list(stored["cannot_predict_reason"]) == [f"{t} outside the vocabulary" for t in stored["unpredicted"]]
    assert len(stored["tensors"]["loaded"]) > 20
    with pytest.raises(ValueError, match="d_model=16, but 8 in the checkpoint"):
        spb.tl.fit_scgpt(adata, checkpoint=checkpoint, d_model=16, n_heads=8)


def test_resume_from_another_checkpoint_is_refused(measured, checkpoint, tmp_path):
    state, other = tmp_path / "state", tmp_path / "other"
    options = {"batch_key": "gem_group", "epochs": 1, "n_control_cells": 10, "checkpoint_dir": state}
    with pytest.warns(UserWarning, match="outside the vocabulary"):
        spb.tl.fit_scgpt(measured.copy(), checkpoint=checkpoint, **options)
    other.mkdir()
    for name in ("args.json", "best_model.pt", "vocab.json"):
        shutil.copy(checkpoint / name, other / name)
    import torch

    tensors = torch.load(other / "best_model.pt", weights_only=True)
    tensors["encoder.enc_norm.weight"] += 1
    torch.save(tensors, other / "best_model.pt")
    with pytest.warns(UserWarning, match="outside the vocabulary"), pytest.raises(ValueError, match="pretrained"):
        spb.tl.fit_scgpt(measured.copy(), checkpoint=other, **options, resume=True)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"missing_target": "guess"}, "missing_target"),
        ({"attribution": "attention"}, "attribution"),
        ({"epochs": 0}, "epochs"),
        ({"n_control_cells": 2.5}, "n_control_cells"),
        ({"batch_size": True}, "batch_size"),
        ({"lr": 0}, "lr"),
        ({"n_heads": 3}, "n_heads"),
        ({"checkpoint": "nowhere"}, "args.json"),
        ({"key_added": "a/b"}, "key_added"),
        ({"key_added": ""}, "key_added"),
        ({"device": "tpu"}, "device"),
        ({"resume": True}, "checkpoint_dir"),
        ({"rng": None, "checkpoint_dir": "x"}, "rng"),
    ],
)
def test_wrong_parameters_are_named_and_nothing_is_stored(measured, wrong, match):
    adata = measured.copy()
    with pytest.raises(ValueError, match=match):
        fit(adata, **wrong)
    assert KEY not in adata.layers


def test_missing_packages_are_named(measured, monkeypatch):
    from scpertbias._models.deep import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "scgpt" else object())
    with pytest.raises(ImportError, match="pip install --no-deps scgpt==0.2.4"):
        fit(measured)


@pytest.mark.gpu
def test_on_a_gpu_as_on_the_cpu(measured):
    """Half precision in training, so that weights differ a little; without training nothing does."""
    import torch

    cpu, gpu = (fitted(measured, lr=1e-12, device=device) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(gpu.layers[KEY], cpu.layers[KEY], rtol=0, atol=1e-3)
    trained = fitted(measured, epochs=3, device="cuda")
    assert record(trained)["history"]["val_loss"].is_monotonic_decreasing
    assert record(trained)["params"]["device"] == "cuda"
    assert torch.backends.mha.get_fastpath_enabled()
