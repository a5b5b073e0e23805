import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _compat
from scpertbias._tables import columns
from scpertbias.get._retraining import coupling as get_coupling
from scpertbias.tl._coupling import NO_CHANGE, coupling, coupling_table, shift

MODELS = ("no_change", "mean", "ridge", "grn_linear", "two_stage")


@pytest.fixture(scope="module")
def screen():
    cells = spb.ds.simulate(2500, 120, 15)
    return cells, spb.pp.coexpression_net(cells, threshold=0.1)


@pytest.fixture(scope="module")
def audited(screen):
    cells, net = screen
    assert len(net) > 100
    mdata = spb.tl.audit(
        cells,
        net,
        models=MODELS,
        regimes=("full", "no_mt_ribo", "regressed"),
        model_params={"two_stage": {"n_components": 3}},
        n_folds=3,
    )
    coupling(mdata, net)
    return mdata


@pytest.fixture
def table(audited):
    frame = get_coupling(audited)
    return frame[frame["regime"] == "no_mt_ribo"].set_index(["model", "rows"])


def test_ridge_is_not_coupled_and_output_smoothing_is(table):
    for rows in ("training", "unseen"):
        assert table.loc[("ridge", rows), "shift"] <= 1e-10
        assert table.loc[("mean", rows), "shift"] <= 1e-10
        assert table.loc[("grn_linear", rows), "shift"] > 1e-6
        assert table.loc[("two_stage", rows), "shift"] > 1e-6
    # smoothing over perturbations does not join genes
    assert table.loc[("grn_linear_perturbations", "training"), "shift"] <= 1e-10


def test_unseen_rows_are_the_stored_predictions(audited, table):
    full, other = audited["full"], audited["no_mt_ribo"]
    kept = [full.var_names.get_loc(g) for g in other.var_names]
    unseen = ~full.obs["is_reference"].to_numpy()
    for model in ("grn_linear", "two_stage"):
        before = full.layers[model][unseen][:, kept]
        after = other.layers[model][unseen]
        control = full.X[~unseen][:, kept]
        expected = np.linalg.norm(after - before) / np.linalg.norm(before - control)
        assert table.loc[(model, "unseen"), "shift"] == pytest.approx(expected)
        assert table.loc[(model, "unseen"), "n"] == unseen.sum() == 15


def test_training_rows_are_those_of_a_fit_on_all(audited, table, screen):
    """A fit on profiles without a split sees all perturbations."""
    net = screen[1]
    fits = {}
    for regime in ("full", "no_mt_ribo"):
        profiles = audited[regime].copy()
        known = net[net["source"].isin(profiles.var_names) & net["target"].isin(profiles.var_names)]
        spb.tl.fit_grn_linear(profiles, known, key_added="again")
        fits[regime] = spb.get.predictions(profiles, "again")
    control = fits["full"].index[0]
    genes = fits["no_mt_ribo"].columns
    before, after = fits["full"][genes].drop(index=control), fits["no_mt_ribo"].drop(index=control)
    size = before - audited["full"].to_df().loc[control, genes]
    expected = np.linalg.norm(after - before) / np.linalg.norm(size)
    assert table.loc[("grn_linear", "training"), "shift"] == pytest.approx(expected)


def test_fits_on_all_that_are_at_hand_are_not_made_again(audited, table):
    """As the audit has them: then no net is needed."""
    rng = np.random.default_rng(0)
    before = audited["full"].X + rng.normal(0, 0.1, (16, 120))
    kept = audited["full"].var_names.get_indexer(audited["no_mt_ribo"].var_names)
    at_hand = {"full": {"grn_linear": before}, "no_mt_ribo": {"grn_linear": before[:, kept] * 1.01}}
    frame = coupling_table(audited, in_sample=at_hand)
    frame = frame[frame["regime"] == "no_mt_ribo"].set_index(["model", "rows"])
    size = before[1:, kept] - audited["full"].X[0, kept]
    expected = 0.01 * np.linalg.norm(before[1:, kept]) / np.linalg.norm(size)
    assert audited["full"].obs["is_reference"].iloc[0]
    assert frame.loc[("grn_linear", "training"), "shift"] == pytest.approx(expected)
    assert frame.loc[("ridge", "training"), "shift"] == table.loc[("ridge", "training"), "shift"]
    assert np.isnan(frame.loc[("two_stage", "training"), "shift"])


def test_closed_forms_do_not_depend_on_a_seed(table):
    assert (table["shift_seed"] == 0).all()


def test_what_cannot_be_said_is_noted(audited, table):
    assert table.loc[("no_change", "unseen"), "note"] == NO_CHANGE
    assert np.isnan(table.loc[("no_change", "unseen"), "shift"])
    frame = get_coupling(audited)
    assert list(frame.columns) == columns("coupling")
    other = frame[frame["regime"] == "regressed"]
    assert other["shift"].isna().all()
    assert other["note"].str.contains("not comparable").all()


def test_without_the_net_training_rows_of_graph_models_are_missing(audited):
    again = coupling(audited, copy=True)
    frame = get_coupling(again).query("regime == 'no_mt_ribo'").set_index(["model", "rows"])
    assert np.isnan(frame.loc[("grn_linear", "training"), "shift"])
    assert "net=" in frame.loc[("grn_linear", "training"), "note"]
    assert frame.loc[("grn_linear", "unseen"), "shift"] > 1e-6
    assert frame.loc[("ridge", "training"), "shift"] <= 1e-10
    assert np.isfinite(get_coupling(audited)["shift"]).sum() > np.isfinite(frame["shift"]).sum()


def test_tables_of_which_only_the_size_is_stored_are_not_fitted_again(tmp_path):
    cells = spb.ds.simulate(1500, 60, 8, rng=0)
    names = sorted(set(cells.obs["perturbation"]) - {"non-targeting"})
    embedding = pd.DataFrame(np.random.default_rng(0).normal(size=(8, 2)), index=names)
    params = {"bilinear": {"n_components": 2, "perturbation_embedding": embedding}}
    mdata = spb.tl.audit(cells, models=("bilinear",), model_params=params, n_random=0, n_folds=2)
    _compat.write_h5mu(mdata, tmp_path / "audit.h5mu")
    frame = get_coupling(coupling(_compat.read_h5mu(tmp_path / "audit.h5mu"), copy=True))
    training = frame[(frame["regime"] == "no_mt") & (frame["rows"] == "training")]
    assert training["note"].tolist() == [
        "rows 'training' need ['perturbation_embedding'], but only the size of these tables is stored"
    ]


def test_predictions_brought_for_each_regime():
    """As of GEARS: one split, and two trainings are needed to say what the seed does."""
    cells = spb.ds.simulate(2000, 60, 12)
    spb.pp.split(cells)
    mdata = spb.pp.regimes(spb.pp.profiles(cells), ["no_mt_ribo"])
    full = mdata["full"]
    rng = np.random.default_rng(0)
    before = full.to_df().set_axis(full.obs["perturbation"].astype(str)) + rng.normal(0, 0.1, (13, 60))
    after = before[mdata["no_mt_ribo"].var_names] * 1.01
    after.iloc[3] = np.nan
    spb.tl.add_predictions(full, before, key_added="gears")
    spb.tl.add_predictions(mdata["no_mt_ribo"], after, key_added="gears")
    spb.tl.fit_mean(full)  # in one regime only: nothing to compare
    coupling(mdata)
    frame = get_coupling(mdata).set_index("rows")
    assert set(frame["model"]) == {"gears"}
    assert frame["shift_seed"].isna().all()
    assert frame["note"].str.contains("shift_seed").all()
    split = full.obs.loc[~full.obs["is_reference"], "split"]
    missing = full.obs["split"].iloc[3]
    for rows, n in (("unseen", (split == "test").sum()), ("training", (split != "test").sum())):
        assert frame.loc[rows, "n"] == n - ((missing == "test") == (rows == "unseen"))
    test = (full.obs["split"] == "test").to_numpy() & before.index.isin(after.dropna().index)
    b, a = before.loc[test, after.columns], after.loc[test]
    size = np.linalg.norm(b - full.to_df()[full.obs["is_reference"]].iloc[0][after.columns])
    assert frame.loc["unseen", "shift"] == pytest.approx(np.linalg.norm(a - b) / size)


def test_kappa():
    before = np.array([[9.0, 9], [3, 4], [0, 0], [np.nan, 1], [1, 1]])
    after = before + np.array([[5.0, 5], [0, 2.5], [0, 0], [0, 0], [np.nan, 0]])
    wanted = np.array([False, True, True, True, True])
    value, n, note = shift(before, after, np.zeros(2), wanted)
    assert (value, n, note) == (pytest.approx(0.5), 2, "")
    assert shift(before, after, np.zeros(2), np.zeros(5, dtype=bool))[1:] == (
        0,
        "no perturbation is predicted by both the full and the retrained model",
    )


def test_errors(audited):
    with pytest.raises(TypeError, match="`mdata` is a AnnData"):
        coupling(audited["full"])
    with pytest.raises(ValueError, match="'full' and another regime are needed"):
        coupling(_compat.mudata({"full": audited["full"]}))
    with pytest.raises(KeyError, match="No model is stored"):
        coupling(spb.pp.regimes(spb.pp.profiles(spb.ds.simulate(1500, 60, 8)), ["no_mt_ribo"]))
    with pytest.raises(KeyError, match=r"spb\.tl\.coupling first"):
        get_coupling(spb.pp.regimes(spb.pp.profiles(spb.ds.simulate(1500, 60, 8)), ["no_mt_ribo"]))
    with pytest.raises(ValueError, match="none of its 1 edges"):
        coupling(audited, pd.DataFrame({"source": ["nobody"], "target": ["none"]}))
