import logging
import sys
import warnings
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc

import scpertbias as spb
from scpertbias._models.deep import extras
from scpertbias._models.deep.gears import fit as gears

pytestmark = pytest.mark.gears
DATA = Path(__file__).parents[3] / "data"
SMALL = {"epochs": 2, "hidden_size": 6, "batch_size": 16, "device": "cpu", "batch_key": "gem_group"}


@pytest.fixture(scope="module")
def net(screen):
    """All perturbed genes joined in a ring."""
    names = sorted(set(screen.obs["perturbation"]) - {"non-targeting", "unassigned", "FEW"})
    return pd.DataFrame({"source": names, "target": names[1:] + names[:1], "weight": 0.5})


def fit(adata, net, **kwargs):
    return spb.tl.fit_gears(adata, net, **{**SMALL, "copy": True, **kwargs})


@pytest.fixture(scope="module")
def fitted(screen, net):
    return fit(screen, net)


def test_what_is_stored(screen, fitted):
    record = fitted.uns["scpertbias"]["models"]["gears"]
    assert record["params"]["hidden_size"] == 6
    assert record["params"]["net"] == "8 × 3 table"
    assert record["output_gene"] in fitted.var_names
    assert record["output_gene_ties"] == 1
    assert list(record["not_in_graph"]) == []
    assert list(record["unpredicted"]) == ["FEW"]
    predicted = spb.get.predictions(fitted, "gears")
    control = screen.X[(screen.obs["perturbation"] == "non-targeting").to_numpy()].mean(axis=0)
    np.testing.assert_allclose(predicted.loc["non-targeting"], np.asarray(control).ravel(), atol=1e-5)
    assert predicted.drop("FEW").std().min() > 0


def test_history(fitted):
    history = spb.get.history(fitted, "gears")
    assert list(history["epoch"]) == [1, 2]
    np.testing.assert_allclose(history["learning_rate"], [1e-3, 5e-4])
    assert {"train_loss", "val_mse", "val_mse_de20", "seconds", "peak_memory", "best"} <= set(history.columns)
    assert (history["seconds_validation"] > 0).all()


def test_attributions(fitted, screen, net):
    spb.tl.attribution_check(fitted)
    assert spb.get.attribution_check(fitted).set_index("model")["flag"]["gears"] == "ok"
    importance = spb.get.attributions(fitted, "gears")
    assert importance[["non-targeting", "FEW"]].isna().all().all()
    assert (importance.drop(columns=["non-targeting", "FEW"]) > 0).mean().min() > 0.5
    literal = fit(screen, net, attribution="input_gradient")
    spb.tl.attribution_check(literal)
    assert spb.get.attribution_check(literal).set_index("model")["flag"]["gears"] == "one_hot"
    np.testing.assert_array_equal(literal.layers["gears"], fitted.layers["gears"])


def test_the_bug_of_the_batches_can_be_cured(screen, net, fitted):
    cured = fit(screen, net, fix_batching=True)
    assert cured.uns["scpertbias"]["models"]["gears"]["params"]["fix_batching"]
    assert not np.allclose(cured.layers["gears"], fitted.layers["gears"], equal_nan=True, atol=1e-6)


@pytest.mark.parametrize("n_epochs_before", [0, 1, 2])
def test_a_resumed_run_equals_an_uninterrupted_one(screen, net, fitted, tmp_path, n_epochs_before):
    if n_epochs_before:
        fit(screen, net, epochs=n_epochs_before, checkpoint_dir=tmp_path)
        assert [p.name for p in tmp_path.iterdir()] == [f"epoch_{n_epochs_before:04d}"]
    again = fit(screen, net, checkpoint_dir=tmp_path, resume=True)
    np.testing.assert_array_equal(again.layers["gears"], fitted.layers["gears"])
    np.testing.assert_array_equal(again.varm["gears"], fitted.varm["gears"])
    timed = ["seconds", "seconds_validation", "peak_memory"]
    pd.testing.assert_frame_equal(
        spb.get.history(again, "gears").drop(columns=timed),
        spb.get.history(fitted, "gears").drop(columns=timed),
        check_exact=True,
    )


def test_resuming_on_something_else_is_refused(screen, net, tmp_path):
    fit(screen, net, epochs=1, checkpoint_dir=tmp_path)
    resplit = screen.copy()
    spb.pp.split(resplit, rng=11)
    for adata, graph, kwargs, word in [
        (resplit, net, {}, "split"),
        (screen[:, :-1].copy(), net, {}, "genes"),
        (screen, net.iloc[:-1], {}, "net"),
        (screen, net, {"hidden_size": 5}, "hidden_size: 6 in the checkpoint, 5 now"),
        (screen, net, {"rng": 1}, "rng"),
    ]:
        with pytest.raises(ValueError, match=f"made with other values of .*{word}"):
            fit(adata, graph, checkpoint_dir=tmp_path, resume=True, **kwargs)
    with pytest.raises(ValueError, match="Pass resume=True"):
        fit(screen, net, checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match="must be a seed"):
        fit(screen, net, checkpoint_dir=tmp_path / "x", rng=None)
    with pytest.raises(ValueError, match="needs `checkpoint_dir`"):
        fit(screen, net, resume=True)


def test_seeds(screen, net, fitted):
    assert not np.allclose(fit(screen, net, rng=1).layers["gears"], fitted.layers["gears"], equal_nan=True, atol=1e-6)
    generator = fit(screen, net, rng=np.random.default_rng(3), epochs=1)
    again = fit(screen, net, rng=np.random.default_rng(3), epochs=1)
    np.testing.assert_array_equal(generator.layers["gears"], again.layers["gears"])


def test_perturbed_genes_outside_the_graph_are_named(screen, net):
    alone = net.iloc[2:6]  # the first two, one of test and one of val, and the last one are outside
    with pytest.warns(
        UserWarning,
        match=r"3 of 8 perturbed genes have no edge .* 2 perturbations are not predicted, because the graph has no path to a training perturbation",
    ):
        adata = fit(screen, alone)
    record = adata.uns["scpertbias"]["models"]["gears"]
    outside = sorted({*net["source"]} - {*alone["source"], *alone["target"]})
    assert list(record["not_in_graph"]) == outside
    assert spb.get.models(adata)["note"].item() == f"perturbed genes that are not in the graph: {', '.join(outside)}"
    cannot = {name for name in outside if (adata.obs.loc[adata.obs["perturbation"] == name, "split"] != "train").all()}
    assert set(record["unpredicted"]) == {*cannot, "FEW"}
    predicted = spb.get.predictions(adata, "gears")
    assert predicted.loc[sorted(cannot)].isna().all().all()
    assert predicted.loc[sorted(set(outside) - cannot)].notna().all().all()


def test_perturbations_that_training_does_not_reach_are_named(screen, net):
    held_out = screen.obs.loc[screen.obs["split"].isin(["val", "test"]), "perturbation"]
    pair = sorted(set(held_out) - {"FEW"})
    among = net[~net["source"].isin(pair) & ~net["target"].isin(pair)]
    joined = pd.concat([among, pd.DataFrame({"source": [pair[0]], "target": [pair[1]], "weight": 1.0})])
    with pytest.warns(
        UserWarning,
        match=rf"^2 perturbations are not predicted, because the graph has no path to a training perturbation .*{pair[0]}, {pair[1]}",
    ):
        adata = fit(screen, joined, epochs=1)
    assert spb.get.predictions(adata, "gears").loc[pair].isna().all().all()


def test_without_validation_the_last_epoch_is_kept(screen, net):
    adata = screen.copy()
    adata.obs["split"] = adata.obs["split"].astype(str).replace("val", "train")
    history = spb.get.history(fit(adata, net), "gears")
    assert history["best"].all()
    assert "val_mse" not in history


def test_nothing_outside_is_touched(screen, net, tmp_path, monkeypatch):
    import torch

    for name in [name for name in sys.modules if name.split(".")[0] == "gears"]:
        monkeypatch.delitem(sys.modules, name)  # so that it is imported anew
    monkeypatch.chdir(tmp_path)
    sc.settings.verbosity = 1
    torch.manual_seed(4)
    state, filters, level = torch.get_rng_state(), list(warnings.filters), logging.root.level
    fit(screen, net)
    assert torch.equal(torch.get_rng_state(), state)
    assert warnings.filters == filters
    assert logging.root.level == level
    assert int(sc.settings.verbosity) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("wrong", "error", "match"),
    [
        ({"epochs": 0}, ValueError, "`epochs` is 0"),
        ({"hidden_size": 2.5}, ValueError, "`hidden_size` is 2.5"),
        ({"batch_size": 1}, ValueError, "`batch_size` is 1; it must be a whole number of 2"),
        ({"attribution": "saliency"}, ValueError, "`attribution` is 'saliency'"),
        ({"device": "tpu9"}, ValueError, "`device` is 'tpu9'"),
        ({"key_added": "a/b"}, ValueError, "key_added"),
        ({"split_key": "split", "groupby": "nothing"}, KeyError, "obs has no column"),
    ],
)
def test_wrong_arguments(screen, net, wrong, error, match):
    adata = screen.copy()
    with pytest.raises(error, match=match):
        fit(adata, net, copy=False, **wrong)
    assert not list(adata.varm)
    assert "gears" not in adata.layers


def test_terms_are_no_net(screen, net):
    with pytest.raises(ValueError, match="none of its 8 edges .* convert them to a net with spb.pp.jaccard_net"):
        fit(screen, net.assign(source="GO:1"))


def test_without_a_net_it_is_said_how_to_get_one(screen):
    with pytest.warns(UserWarning, match=r"pass net=spb.pp.jaccard_net"):
        fit(screen, None, epochs=1)


def test_a_net_of_other_genes(screen, net):
    with pytest.raises(ValueError, match="none of its 8 edges"):
        fit(screen, net.assign(source="x", target="y"))


def test_an_absent_extra(screen, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install cell-gears==0.1.2 torch torch-geometric"):
        spb.tl.fit_gears(screen)


def test_a_loss_that_is_not_finite(screen, net, monkeypatch):
    monkeypatch.setattr(
        gears.GearsLearner, "loss", lambda self, cells: self.control.sum() * self.module.indv_b1.sum() / 0
    )
    adata = screen.copy()
    with pytest.raises(FloatingPointError, match="at step 1 of epoch 1. Lower the learning rate"):
        fit(adata, net, copy=False)
    assert "gears" not in adata.layers


def test_beside_the_linear_models_on_a_simulated_screen():
    adata = spb.ds.simulate(700, 40, 8, keep_counts=False)
    names = sorted(set(adata.obs["perturbation"]) - {"non-targeting"})
    missing = [name for name in names if name not in adata.var_names]
    free = [gene for gene in adata.var_names if not gene.startswith(("MT-", "RP")) and gene not in names]
    adata.var_names = [dict(zip(free, missing, strict=False)).get(gene, gene) for gene in adata.var_names]
    spb.pp.split(adata, test=names[:2], val=names[2:3])
    ring = pd.DataFrame({"source": names, "target": names[1:] + names[:1]})
    spb.tl.fit_gears(adata, ring, epochs=1, hidden_size=6, device="cpu")
    for function in (spb.tl.fit_mean, spb.tl.fit_ridge, spb.tl.fit_bilinear):
        function(adata)
    spb.tl.fit_two_stage(adata, ring, axis="perturbations")
    spb.tl.score(adata)
    scores = spb.get.scores(adata).query("split == 'test'").pivot(index="perturbation", columns="model", values="l2")
    assert list(scores.columns) == ["bilinear", "gears", "mean", "ridge", "two_stage"]
    assert list(scores.index) == names[:2]
    assert scores.notna().all().all()


@pytest.mark.gpu
def test_on_a_gpu_it_is_what_it_is_on_a_cpu(screen, net, tmp_path):
    import torch

    apart = fit(screen, net, device="cuda", epochs=1, checkpoint_dir=tmp_path)
    apart = fit(screen, net, device="cuda", checkpoint_dir=tmp_path, resume=True)
    table, cpu = (spb.get.predictions(a, "gears") for a in (apart, fit(screen, net)))
    np.testing.assert_allclose(table, cpu, atol=0.05)
    assert (spb.get.history(apart, "gears")["peak_memory"] > 0).all()
    assert torch.cuda.is_available()


@pytest.mark.slow
def test_held_out_doubles_of_norman_beside_mean_and_additive():
    adata = ad.read_h5ad(DATA / "norman2019_subset.h5ad")
    net = spb.pp.jaccard_net(pd.read_csv(DATA / "norman2019_go.csv"))
    names = sorted(set(adata.obs["perturbation"]) - {"control"})
    doubles = [name for name in names if "+" in name]
    both = [name for name in doubles if set(name.split("+")) <= set(names)]
    assert len(both) == 5
    others = [name for name in doubles if name not in both]
    spb.pp.split(adata, test=[*both, *others[4:6]], val=others[6:9])
    with pytest.warns(UserWarning, match="have no edge"):
        spb.tl.fit_gears(adata, net, epochs=3, hidden_size=16, batch_size=64, device="cpu")
    history = spb.get.history(adata, "gears")
    assert history["val_mse_de20"].min() < history["val_mse_de20"].iloc[0]
    spb.tl.fit_mean(adata)
    spb.tl.fit_additive(adata)
    spb.tl.score(adata)
    scores = spb.get.scores(adata).query("split == 'test'").pivot(index="perturbation", columns="model", values="l2")
    assert scores.loc[both].notna().all().all()
    assert scores["gears"].notna().sum() > len(both)
