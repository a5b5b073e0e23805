"""The network, its loss and its training, against cell-gears used as its authors do."""

import copy
import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias._models.deep.data import read as read_cells
from scpertbias._models.deep.extras import imports_leave_no_trace
from scpertbias._models.deep.gears import fit as gears
from scpertbias._models.deep.gears.network import GearsLearner, Label, Network, most_changed
from scpertbias._models.deep.training import train

pytestmark = pytest.mark.gears
ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def toy():
    """Cells with singles and a combination, a split, and shared terms of the perturbed genes."""
    adata = spb.ds.simulate(360, 30, 6, cell_axis_sd=0.5, rng=1)
    label = adata.obs["perturbation"].astype(str).to_numpy(object)
    names = sorted(set(label) - {"non-targeting"})
    label[np.flatnonzero(label == names[4])[:25]] = f"{names[0]}+{names[1]}"
    label[label == "non-targeting"] = "ctrl"
    adata.obs["perturbation"] = label
    split = {names[2]: "val", names[3]: "test", f"{names[0]}+{names[1]}": "test"}
    adata.obs["split"] = [split.get(name, "train") for name in label]
    rng = np.random.default_rng(0)
    terms = {name: {f"GO:{t}" for t in rng.choice(6, 3, replace=False)} for name in names}
    return SimpleNamespace(adata=adata, terms=terms, names=names)


@pytest.fixture(scope="module")
def upstream(toy, tmp_path_factory):
    """cell-gears on the same cells by its own route: PertData, loaders, GEARS, one epoch."""
    folder = tmp_path_factory.mktemp("gears") / "upstream"
    with imports_leave_no_trace(), pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT)
        peer = importlib.import_module("benchmarks._gears_peer")
        data, model = peer.prepare(toy.adata, toy.terms, folder, batch_size=16, hidden_size=8)
        before = copy.deepcopy(model.model.state_dict())
        model.train(epochs=1)
    return SimpleNamespace(model=model, before=before, data=data)


@pytest.fixture
def ours(toy):
    """Our network and learner on the same cells."""
    return make(toy)


def make(toy, **kwargs):
    import torch

    data = {"groupby": "perturbation", "reference": None, "batch_key": None, "min_cells": 20, "layer": None}
    data |= {"split_key": "split", "gene_symbols": None}
    cells = read_cells(toy.adata, data, function="f")
    sets = pd.DataFrame(
        [(term, gene) for gene, terms in toy.terms.items() for term in terms], columns=["source", "target"]
    )
    genes, graph = gears._graphs(toy.adata, spb.pp.jaccard_net(sets), cells, data)
    torch.manual_seed(0)
    settings = {"hidden_size": 8, "fix_batching": False, "device": torch.device("cpu"), **kwargs}
    network = Network(genes, graph, toy.adata.n_vars, **settings)
    learner = GearsLearner(network, cells, graph, batch_size=16, partner=cells.partners(np.random.default_rng(0)))
    return SimpleNamespace(network=network, learner=learner, cells=cells, graph=graph)


def test_shift_is_that_of_upstreams_predict(toy, upstream, ours):
    import torch

    seen = []
    handle = upstream.model.best_model.register_forward_hook(lambda _, args, out: seen.append((args[0].x, out)))
    codes = [p for p in range(len(ours.graph.nodes_of)) if p]
    upstream.model.saved_pred = {}
    with imports_leave_no_trace():
        upstream.model.predict([list(ours.cells.screen.targets[p]) for p in codes])
    handle.remove()
    assert [len(out) for _, out in seen] == [300] * len(codes)
    expected = [(out.double() - x.reshape(out.shape).double()).mean(dim=0).numpy() for x, out in seen]
    ours.network.module.load_state_dict(upstream.model.best_model.state_dict())
    shifts = ours.network.shifts([ours.graph.nodes_of[p] for p in codes])
    np.testing.assert_allclose(shifts, expected, rtol=0, atol=1e-6)
    assert np.ptp(shifts, axis=0).max() > 1e-3  # perturbations differ
    x = torch.zeros((2, toy.adata.n_vars))
    with torch.no_grad():
        first, other = ours.network(x, [ours.graph.nodes_of[1]] * 2, each=False).numpy()
    assert np.abs(first - other).max() > 1e-5  # upstream's batching bug: the gene graph is in the first cell only


def test_an_epoch_is_upstreams(toy, upstream, ours):
    """In double precision, so that rounding has no say: same cells, same weights, one epoch of either loop."""
    import torch

    theirs = copy.copy(upstream.model)
    theirs.model = copy.deepcopy(theirs.model).double()
    theirs.model.load_state_dict(upstream.before)
    with imports_leave_no_trace():  # their scores divide by 0
        torch.manual_seed(3)
        theirs.train(epochs=1)
    torch.manual_seed(3)
    row = {values.tobytes(): i for i, values in enumerate(toy.adata.X.toarray())}
    batches = []
    for batch in upstream.data.dataloader["train_loader"]:
        cells = np.array([row[v.tobytes()] for v in batch.y.numpy()])
        ours.learner.partner[cells] = [row[v.tobytes()] for v in batch.x.reshape(len(cells), -1).numpy()]
        batches.append([cells])
    assert sum(len(cells) for (cells,) in batches) == len(ours.learner.train) // 16 * 16
    ours.learner.batches = lambda rng: batches
    ours.network.module.double().load_state_dict(upstream.before)
    schedule = gears.replace(gears.UPSTREAM, epochs=1)
    train(ours.learner, schedule, rng=np.random.default_rng(0), device=torch.device("cpu"))
    weights = ours.network.module.state_dict()
    # A shift between two normalizations has no gradient but rounding, and Adam makes whole steps of that.
    free = {"emb_trans_v2.network.4.bias", "bn_pert_base.running_mean"}
    for name, value in theirs.best_model.state_dict().items():
        if name not in free:
            torch.testing.assert_close(weights[name], value, rtol=0, atol=1e-7, msg=name)
    assert (weights["indv_w2"] - upstream.before["indv_w2"]).abs().max() > 1e-3


def test_genes_of_the_validation_error_are_upstreams(toy, upstream, ours):
    ranked = upstream.data.adata.uns["rank_genes_groups_cov_all"]
    val = toy.names[2]
    p = ours.cells.screen.names.index(val)
    expected = set(ranked[f"K562_{val}+ctrl_1+1"][:20])
    assert {toy.adata.var_names[i] for i in most_changed(ours.cells)[p]} == expected


def test_validation_error(toy, ours):
    p = ours.cells.screen.names.index(toy.names[2])
    assert list(ours.learner.validated) == [p]
    label, x = toy.adata.obs["perturbation"].to_numpy(str), toy.adata.X.toarray().astype(float)
    predicted = x[label == "ctrl"].mean(axis=0) + ours.network.shifts([ours.graph.nodes_of[p]])[0]
    error = (predicted - x[label == toy.names[2]].mean(axis=0)) ** 2
    errors = ours.learner.validate()
    np.testing.assert_allclose(errors["val_mse"], error.mean(), rtol=1e-5)
    np.testing.assert_allclose(errors["val_mse_de20"], error[most_changed(ours.cells)[p]].mean(), rtol=1e-5)


def test_rows_of_a_prediction_do_not_depend_on_one_another(ours, monkeypatch):
    nodes = list(ours.graph.nodes_of[1:])
    together = ours.network.shifts(nodes)
    for i, mine in enumerate(nodes):
        np.testing.assert_allclose(ours.network.shifts([mine])[0], together[i], rtol=0, atol=1e-6)
    monkeypatch.setattr("scpertbias._models.deep.gears.network.ROWS", 3)
    np.testing.assert_allclose(ours.network.shifts(nodes), together, rtol=0, atol=1e-6)


@pytest.mark.parametrize("fix_batching", [False, True])
def test_at_most_two_rows_a_perturbation(toy, fix_batching):
    model = make(toy, fix_batching=fix_batching)
    rows = []
    model.network.module.register_forward_hook(lambda _, args, out: rows.append(len(out)))
    nodes = list(model.graph.nodes_of[1:]) * 10
    model.network.shifts(nodes)
    dummies = 0 if fix_batching else -(-len(nodes) // 31)
    assert sum(rows) == (1 if fix_batching else 2) * len(nodes) + dummies
    assert max(rows) <= 32


def test_fixed_batching_makes_all_cells_agree(toy):
    import torch

    fixed = make(toy, fix_batching=True)
    plain = make(toy)
    fixed.network.module.eval()
    with torch.no_grad():
        out = fixed.network(torch.zeros((5, toy.adata.n_vars)), [fixed.graph.nodes_of[1]] * 5, each=True).numpy()
    assert np.abs(out - out[0]).max() < 1e-6
    assert (
        np.abs(fixed.network.shifts([fixed.graph.nodes_of[1]]) - plain.network.shifts([plain.graph.nodes_of[1]])).max()
        > 2e-6
    )
    # One cell alone is the first of its batch: there the bug has no place.
    alone = fixed.network(torch.zeros((1, toy.adata.n_vars)), [fixed.graph.nodes_of[1]], each=False).detach().numpy()
    np.testing.assert_allclose(out[0], alone[0], rtol=0, atol=1e-6)


def test_a_batch_of_controls_only(toy, ours):
    control = ours.cells.order[ours.cells.code[ours.cells.order] == 0][:16]
    ours.network.module.train()
    loss = ours.learner.loss(control)
    assert np.isfinite(loss.item())


def test_a_label_keeps_its_place_in_a_set():
    labels = [Label(name, i) for i, name in enumerate(["ctrl", "A", "B+C"])]
    assert [hash(label) for label in labels] == [0, 1, 2]
    assert labels[0] == "ctrl"
    assert labels[1] != "ctrl"
    assert labels[1] != 1
    assert {label: str(label) for label in labels}[labels[2]] == "B+C"


def test_more_cells_in_a_batch_than_there_are(toy, ours):
    learner = GearsLearner(
        ours.network, ours.cells, ours.graph, batch_size=10_000, partner=ours.cells.partners(np.random.default_rng(0))
    )
    ((batch,),) = learner.batches(np.random.default_rng(0))
    assert len(batch) == len(learner.train)
