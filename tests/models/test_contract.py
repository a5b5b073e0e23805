"""What every model keeps to, those trained on cells included; a new one is tested by being registered."""

import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

import scpertbias as spb
from scpertbias._models._base import specs
from scpertbias.tl._audit.cross_fit import variants

CLOSED = [name for name, spec in specs().items() if spec.solve is not None]
# Models that are trained on cells: each has an extra of its name, and small sizes here.
SMALL = {
    "gears": {"epochs": 2, "hidden_size": 8, "device": "cpu"},
    "scgpt": {
        "epochs": 2,
        "d_model": 8,
        "n_layers": 1,
        "n_heads": 2,
        "n_control_cells": 30,
        "lr": 1e-3,
        "device": "cpu",
    },
}
KIND_OF = {spec.stored_as(name, **SMALL.get(name, {})): name for name, spec in specs().items() if "cells" in spec.needs}
DEEP = [pytest.param(stored, marks=pytest.mark.needs(name)) for stored, name in KIND_OF.items()]
OUTSIDE = ".* in the perturbation graph|.*neither measured nor perturbed in training"
pytestmark = pytest.mark.filterwarnings(f"ignore:{OUTSIDE}")
GENES = [f"G{i}" for i in range(24)]
SINGLES = ["G0", "G1", "G2", "G3", "G4", "elsewhere"]
HELD_OUT = {"G2": "test", "G3": "val", "elsewhere": "test", "G0+G1": "test"}
NET = pd.DataFrame(
    {"source": ["G0", "G1", "G2", "G5"], "target": ["G1", "G2", "G3", "G6"], "weight": [1.0, 0.5, 2.0, 1.0]}
)


@pytest.fixture(params=[*CLOSED, *DEEP])
def kind(request):
    """The name under which a model is stored by default."""
    return request.param


@pytest.fixture(params=CLOSED)
def closed(request):
    """A model that is fitted on cells or profiles alike."""
    return request.param


@pytest.fixture(scope="module")
def screen():
    return make_cells()


def make_cells(seed=0):
    """Log-normalized cells of two batches: singles, a combination, a target that is not measured, one with few cells."""
    rng = np.random.default_rng(seed)
    sizes = {"control": 60, **dict.fromkeys([*SINGLES, "G0+G1"], 24), "G7": 5}
    label = np.repeat(list(sizes), list(sizes.values()))
    base = rng.uniform(0.3, 2, len(GENES))
    effect = {name: rng.normal(0, 0.4, len(GENES)) for name in sizes if name != "control"} | {"control": 0.0}
    batch = rng.integers(2, size=len(label))
    x = base + np.stack([effect[name] + np.zeros(len(GENES)) for name in label])
    x = np.maximum(x + 0.5 * batch[:, None] * rng.normal(size=len(GENES)) + rng.normal(0, 0.3, x.shape), 0)
    obs = pd.DataFrame({"perturbation": label, "rep": batch.astype(str)}, index=[f"c{i}" for i in range(len(label))])
    obs["split"] = [HELD_OUT.get(name, "train") for name in label]
    return ad.AnnData(x.astype(np.float32), obs=obs, var=pd.DataFrame(index=GENES))


def spec_of(kind):
    return specs()[KIND_OF.get(kind, kind)]


def fit(adata, kind, **kwargs):
    spec = spec_of(kind)
    extra = {"net": NET} if "net" in spec.needs else {}
    kwargs = {"batch_key": "rep"} | kwargs if "rep" in adata.obs else kwargs
    return spec.fit(adata, **extra, **SMALL.get(spec.name, {}), **kwargs)


def fitted(adata, kind, **kwargs):
    return fit(adata, kind, copy=True, **kwargs)


def table(adata, kind):
    return spb.get.predictions(adata, kind)


def assert_equal(a, b, **tolerance):
    pd.testing.assert_frame_equal(a, b.loc[a.index, a.columns], check_categorical=False, **tolerance)


def test_in_place_and_copy(screen, kind):
    before = screen.copy()
    copied = fitted(screen, kind)
    assert kind in copied.layers
    assert list(screen.layers) == list(before.layers)
    assert not screen.uns
    assert fit(before, kind) is None
    np.testing.assert_array_equal(before.layers[kind], copied.layers[kind])
    np.testing.assert_array_equal(before.X, screen.X)


def test_stored_under_its_name_and_another(screen, kind):
    adata = fitted(screen, kind)
    fit(adata, kind, key_added="mine")
    mine = spec_of(kind).stored_as("mine", **SMALL.get(spec_of(kind).name, {}))
    np.testing.assert_array_equal(adata.layers[mine], adata.layers[kind])
    record = adata.uns["scpertbias"]["models"][mine]
    assert record["kind"] == spec_of(kind).name
    assert list(record["perturbations"]) == list(table(adata, kind).index)
    assert record["data"]["batch_key"] == np.array(["rep"])
    assert (kind in adata.varm) == bool(spec_of(kind).attribution)
    if kind in adata.varm:
        assert adata.varm[kind].shape == (len(GENES), 9)
        assert adata.varm[kind].dtype == np.float32
        shown = spb.get.attributions(adata, kind)
        assert (shown.fillna(0) >= 0).all().all()
        assert list(shown.columns) == list(record["perturbations"])
    else:
        with pytest.raises(KeyError, match="no attributions"):
            spb.get.attributions(adata, kind)


def test_dtype(screen, closed):
    assert fitted(screen, closed).layers[closed].dtype == np.float32
    assert fitted(spb.pp.profiles(screen, batch_key="rep"), closed).layers[closed].dtype == np.float64


@pytest.mark.parametrize("deep", DEEP)
def test_profiles_are_refused_where_cells_are_needed(screen, deep):
    with pytest.raises(ValueError, match="is trained on cells"):
        fit(spb.pp.profiles(screen, batch_key="rep"), deep)


@pytest.mark.parametrize("key", ["", "a/b", ".", "counts", "half_1"])
def test_keys_that_cannot_be_are_refused(screen, kind, key):
    if key in (".", "counts", "half_1") and " " in kind:
        return  # with what is added to its name it can be
    adata = screen.copy()
    with pytest.raises(ValueError, match="key_added"):
        fit(adata, kind, key_added=key)
    assert not adata.layers


def test_rows_follow_labels(screen, kind):
    order = np.random.default_rng(1).permutation(screen.n_obs)
    straight, shuffled = fitted(screen, kind), fitted(screen[order].copy(), kind)
    np.testing.assert_allclose(shuffled.layers[kind], straight.layers[kind][order], rtol=0, atol=1e-6)
    for rows in straight.obs.groupby("perturbation").indices.values():
        np.testing.assert_array_equal(straight.layers[kind][rows], straight.layers[kind][rows[:1]].repeat(len(rows), 0))


def test_cells_and_profiles_agree(screen, closed):
    cells, profiles = fitted(screen, closed), fitted(spb.pp.profiles(screen, batch_key="rep"), closed)
    assert_equal(table(cells, closed), table(profiles, closed), rtol=0, atol=1e-5)
    if closed in cells.varm:
        np.testing.assert_allclose(cells.varm[closed], profiles.varm[closed], atol=1e-5)


def test_gaps_are_nan_and_listed(screen, kind):
    adata = fitted(screen, kind)
    predicted = table(adata, kind)
    missing = predicted.index[predicted.isna().any(axis=1)]
    assert predicted.loc[missing].isna().all().all()
    assert set(missing) == set(adata.uns["scpertbias"]["models"][kind]["unpredicted"])


def test_the_row_of_the_reference(screen, kind):
    row = table(fitted(screen, kind), kind).loc["control"].to_numpy()
    control = screen.X[(screen.obs["perturbation"] == "control").to_numpy()].mean(axis=0)
    assert np.isfinite(row).all()
    np.testing.assert_allclose(row, control, atol=0.2)


def test_test_cells_are_never_looked_at(screen, kind):
    changed = screen.copy()
    rng = np.random.default_rng(2)
    rows = (changed.obs["split"] == "test").to_numpy()
    changed.X[rows] = rng.uniform(0, 5, (rows.sum(), changed.n_vars))
    np.testing.assert_allclose(fitted(changed, kind).layers[kind], fitted(screen, kind).layers[kind], rtol=0, atol=1e-6)


def test_training_cells_are_looked_at(screen, kind):
    changed = screen.copy()
    changed.X[(changed.obs["split"] == "train").to_numpy()] += 0.5
    assert not np.allclose(
        fitted(changed, kind).layers[kind], fitted(screen, kind).layers[kind], equal_nan=True, atol=0.1
    )


def test_batches_matter(screen, kind):
    assert (
        not np.allclose(
            table(fitted(screen, kind), kind).iloc[1:],
            _without_batches(screen, kind).iloc[1:],
            atol=1e-3,
            equal_nan=True,
        )
        or kind == "no_change"
    )


def _without_batches(screen, kind):
    bare = screen.copy()
    del bare.obs["rep"]
    return table(fitted(bare, kind), kind)


def test_few_cells_do_not_train(screen, kind):
    without = screen[screen.obs["perturbation"] != "G7"].copy()
    with_few, bare = table(fitted(screen, kind), kind), table(fitted(without, kind), kind)
    assert_equal(bare, with_few, rtol=0, atol=1e-6)
    assert (
        not np.allclose(with_few, table(fitted(screen, kind, min_cells=2), kind), equal_nan=True) or kind == "no_change"
    )


def test_a_view_is_made_actual(screen, kind):
    view = screen[:, :20]
    assert view.is_view
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", OUTSIDE)
        fit(view, kind)
    assert not view.is_view
    assert view.layers[kind].shape == (screen.n_obs, 20)
    assert not screen.layers


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csc_matrix])
def test_sparse_cells(screen, kind, make):
    other = screen.copy()
    other.X = make(screen.X)
    assert_equal(table(fitted(other, kind), kind), table(fitted(screen, kind), kind), rtol=0, atol=1e-5)


@pytest.mark.parametrize("cells", [True, False])
@pytest.mark.parametrize("suffix", ["h5ad", "zarr"])
def test_round_trip(screen, kind, cells, suffix, tmp_path):
    if kind in KIND_OF and not cells:
        return  # profiles are refused, see above
    adata = fitted(screen if cells else spb.pp.profiles(screen, batch_key="rep"), kind)
    path = tmp_path / f"x.{suffix}"
    getattr(adata, f"write_{suffix}")(path)
    back = getattr(ad, f"read_{suffix}")(path)
    assert_equal(table(adata, kind), table(back, kind))
    if kind in adata.varm:
        pd.testing.assert_frame_equal(spb.get.attributions(adata, kind), spb.get.attributions(back, kind))
    spb.tl.score(adata)
    spb.tl.score(back)
    pd.testing.assert_frame_equal(spb.get.scores(adata), spb.get.scores(back))


def test_no_training_perturbation(screen, kind):
    adata = screen.copy()
    adata.obs["split"] = "test"
    with pytest.raises(ValueError, match="No perturbation has training cells"):
        fit(adata, kind)
    assert not adata.layers


def test_above_max_memory(screen, kind):
    sc.settings.max_memory = 1e-7
    with pytest.raises(ValueError, match="select_genes" if kind in KIND_OF else "profiles"):
        fit(screen.copy(), kind)


def test_defaults_of_the_signature_are_accepted(closed):
    spec = specs()[closed]
    made = {v.name: v for v in variants([closed], {})}
    assert made[closed].kind == closed
    assert ("net" in spec.needs) == made[closed].needs_net
