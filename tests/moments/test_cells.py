"""Which cells count, in which row and half; what is recorded; what is refused."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from scpertbias import _moments, _store

from .labeled_cells import make

FORMS = {"dense": np.asarray, "csr": sparse.csr_matrix, "csc": sparse.csc_array, "float32": lambda x: x.astype("f4")}


def frozen(adata):
    return (adata.obs.to_csv(), adata.var.to_csv(), np.asarray(adata.X).tobytes(), repr(adata.uns), list(adata.layers))


@pytest.mark.parametrize("form", FORMS)
def test_moments(form):
    adata = make()
    x = adata.X.copy()
    adata.X = FORMS[form](x)
    screen = _moments.of(adata)
    assert screen.names == ("ctrl", "A", "B", "C")
    for i, name in enumerate(screen.names):
        mine = x[(adata.obs["perturbation"] == name).to_numpy()]
        np.testing.assert_allclose(screen.moments.mean[i], mine.mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(screen.moments.var[i], mine.var(axis=0, ddof=1), rtol=1e-5)
    assert screen.moments.reference == 0
    assert screen.used.tolist() == [True, True, True, False]
    assert screen.reason.tolist() == ["", "", "", "5 cells, fewer than min_cells=20"]


@pytest.mark.parametrize("form", ["dense", "csr"])
def test_views(form):
    adata = make()
    adata.X = FORMS[form](adata.X)
    keep = np.arange(adata.n_obs) % 5 > 0
    np.testing.assert_array_equal(_moments.of(adata[keep]).moments.mean, _moments.of(adata[keep].copy()).moments.mean)
    np.testing.assert_array_equal(
        _moments.of(adata[keep, 1:3]).moments.var, _moments.of(adata[keep]).moments.var[:, 1:3]
    )


def test_nothing_is_changed():
    adata = make(split="train", batch="b")
    before = frozen(adata)
    _moments.of(adata, batch_key="batch")
    assert frozen(adata) == before


def test_halves_depend_on_names_and_seed_only():
    adata = make()
    mixed = adata[np.random.default_rng(1).permutation(adata.n_obs)].copy()
    one, two, other = _moments.of(adata), _moments.of(mixed), _moments.of(adata, rng=1)
    np.testing.assert_allclose(one.moments.half, two.moments.half, rtol=1e-12)
    np.testing.assert_allclose(one.moments.blocks, two.moments.blocks, rtol=1e-12)
    np.testing.assert_array_equal(one.moments.n_half, two.moments.n_half)
    assert np.abs(one.moments.half - other.moments.half).max() > 1e-3
    with_more = make(sizes=(("ctrl", 60), ("A", 30), ("B", 25), ("C", 5), ("D", 30)))
    shared = with_more.obs_names.intersection(adata.obs_names)
    with_more = with_more[[*shared, *with_more.obs_names.difference(shared)]].copy()
    values = pd.DataFrame(adata.X, index=adata.obs_names).reindex(with_more.obs_names).fillna(1.5)
    with_more.X = values.to_numpy()
    three = _moments.of(with_more)
    np.testing.assert_allclose(three.moments.half[:, :4], one.moments.half, rtol=1e-12)


@pytest.mark.parametrize("rng", [np.random.default_rng(3), np.int64(3), 3, None])
def test_seeds(rng):
    screen = _moments.of(make(), rng=rng)
    assert screen.record["rng"] == (3 if isinstance(rng, int | np.integer) else None)
    if screen.record["rng"] == 3:
        np.testing.assert_array_equal(screen.moments.half, _moments.of(make(), rng=3).moments.half)


# --- cells that do not count ---


def test_batches_center_the_cells():
    adata = make(sizes=(("ctrl", 200), ("A", 60), ("B", 60)))
    rng = np.random.default_rng(0)
    adata.obs["batch"] = rng.choice(["x", "y"], adata.n_obs)
    adata.X += 2.0 * (adata.obs["batch"] == "y").to_numpy()[:, None]
    screen = _moments.of(adata, batch_key=["batch"])
    control, x = (adata.obs["perturbation"] == "ctrl").to_numpy(), adata.X.copy()
    for b in ("x", "y"):
        mine = (adata.obs["batch"] == b).to_numpy()
        x[mine] += adata.X[control].mean(axis=0) - adata.X[mine & control].mean(axis=0)
    for i, name in enumerate(screen.names):
        mine = (adata.obs["perturbation"] == name).to_numpy()
        np.testing.assert_allclose(screen.moments.mean[i], x[mine].mean(axis=0), atol=1e-10)
        np.testing.assert_allclose(screen.moments.raw_var[i], adata.X[mine].var(axis=0, ddof=1), atol=1e-10)
    assert np.nanmedian(screen.moments.var / screen.moments.raw_var) < 0.9  # less what lies between the batches
    assert screen.record["batch_key"] == ["batch"]
    assert screen.record["batch_names"] == ["x", "y"]


def test_unasked_for_batches_are_named():
    with pytest.warns(
        UserWarning, match=r"the levels of obs\['batch'\] \(a batch\) count as effects.*Pass batch_key='batch'"
    ):
        _moments.of(make(batch=np.tile(["x", "y"], 60)))


# --- splits ---


# --- guides ---


def guided(n_control_guides):
    adata = make(sizes=(("ctrl", 60), ("A", 30), ("B", 30)))
    place = adata.obs.groupby("perturbation").cumcount()
    several = adata.obs["perturbation"].map({"ctrl": n_control_guides, "A": 3, "B": 1})
    adata.obs["guide"] = adata.obs["perturbation"] + "-" + (place % several).astype(str)
    return adata


def test_guides_are_halved_besides():
    adata = guided(4)
    moments = _moments.of(adata, guide_key="guide").moments
    for half in (0, 1):
        mine = adata.X[adata.obs["guide"].isin([f"A-{i}" for i in range(half, 3, 2)]).to_numpy()]
        effect = moments.guide_half[half, 1] - moments.guide_half[half, 0]
        np.testing.assert_allclose(effect, mine.mean(axis=0) - moments.half[half, 0], rtol=1e-12)
    assert np.isnan(moments.guide_half[1, 2]).all(), "a target with one guide has one half"
    assert moments.n_guide_half[:, 1].tolist() == [20, 10]
    np.testing.assert_allclose(moments.half, _moments.of(adata).moments.half, rtol=1e-12)


@pytest.mark.parametrize("n_guides", [1, 4])
def test_the_control_is_halved_by_cells(n_guides):
    adata = guided(n_guides)
    moments = _moments.of(adata, guide_key="guide").moments
    assert moments.n_half[:, 0].tolist() == [30, 30]
    np.testing.assert_array_equal(moments.half[:, 0], _moments.of(adata).moments.half[:, 0])


def test_missing_guides_are_one_guide():
    adata = guided(2)
    adata.obs["guide"] = adata.obs["guide"].where(adata.obs["guide"] != "A-0")
    assert np.isfinite(_moments.of(adata, guide_key="guide").moments.half[:, :2]).all()


def test_missing_guide_column():
    with pytest.raises(KeyError, match=r"`guide_key`: obs has no column 'sg'"):
        _moments.of(make(), guide_key="sg")


# --- counts ---


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
@pytest.mark.parametrize("given", [False, True])
def test_counts_are_normalized_on_the_fly(form, given):
    adata = make()
    counts = np.random.default_rng(0).poisson(2.0, adata.shape)
    counts[0] = 0
    adata.layers["counts"] = form(counts)
    adata.obs["depth"] = np.random.default_rng(1).uniform(5, 9, adata.n_obs)
    sizes = adata.obs["depth"].to_numpy() if given else np.maximum(counts.sum(axis=1), 1)
    found = _moments.of(
        adata, layer="counts", normalize=True, target_sum=50, size_factors="depth" if given else None
    ).moments
    adata.X = np.log1p(counts * 50 / sizes[:, None])
    expected = _moments.of(adata).moments
    for name in ("mean", "var", "half", "blocks"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"size_factors": "depth"}, "`size_factors` is for raw counts, but normalize=True was not passed"),
        ({"normalize": True}, "`normalize=True` expects raw counts"),
        ({"normalize": True, "layer": "counts", "target_sum": 0}, "`target_sum` is 0; it must be positive"),
        ({"normalize": True, "layer": "counts", "size_factors": "depth"}, r"obs\['depth'\] is not positive in 1 cells"),
        ({"layer": "counts"}, r"layers\['counts'\] seems to contain raw counts"),
        ({"reference": "DMSO"}, "`reference` .* matches no label"),
        (
            {"min_cells": 31},
            r"No perturbation has the minimum number of cells, min_cells=31 \(the largest has 30\); lower min_cells",
        ),
    ],
)
def test_what_is_refused(kwargs, message):
    adata = make(depth=1.0)
    adata.obs.iloc[3, adata.obs.columns.get_loc("depth")] = 0
    adata.layers["counts"] = np.random.default_rng(0).poisson(2.0, adata.shape) + 1
    before = frozen(adata)
    with pytest.raises(ValueError, match=message):
        _moments.of(adata, **kwargs)
    assert frozen(adata) == before


def test_few_control_cells_have_few_blocks():
    assert len(_moments.of(make(sizes=(("ctrl", 30), ("A", 30)))).moments.blocks) == 14
    assert len(_moments.of(make(sizes=(("ctrl", 40), ("A", 30)))).moments.blocks) == 20


def test_layers_of_our_own_may_be_negative():
    adata = make()
    _store.put_layer(adata, "regressed", adata.X - 1, {"kind": "regressed"})
    screen = _moments.of(adata, layer="regressed")
    np.testing.assert_allclose(screen.moments.mean, _moments.of(adata).moments.mean - 1, atol=1e-12)
    assert screen.record["layer"] == "regressed"


def test_record():
    adata = make(sizes=(("NT_1", 30), ("NT_2", 30), ("A", 30)))
    screen = _moments.of(adata, reference="NT_*", min_cells=10)
    assert screen.record["reference"] == ["NT_1", "NT_2"]
    assert screen.record["reference_name"] == screen.reference == "NT"
    assert screen.record["min_cells"] == 10
    assert screen.record["batch_key"] is None


def test_guides_as_perturbations_warn():
    with pytest.warns(UserWarning, match="seems to contain guides"):
        _moments.of(make(sizes=(("ctrl", 40), ("A_g1", 30), ("A_g2", 30))))
