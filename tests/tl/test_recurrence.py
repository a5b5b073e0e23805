"""Recurrence of a screen with a planted axis, and of screens without any."""

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments, _store
from scpertbias._core.ranking import top_mask
from scpertbias._core.z_scores import z_errors, z_scores
from scpertbias.tl._recurrence import recurrence, recurrence_table


@pytest.fixture(scope="module")
def audited():
    """An audit, and in it a model that varies: what was observed of another perturbation, shrunk towards the mean."""
    cells = spb.ds.simulate(5_000, 400, 60, axis_strength=0.5, keep_counts=False, rng=3)
    audit = spb.tl.audit(cells, models=("no_change", "mean"), regimes=("full",), n_folds=5)["full"]
    rows = np.flatnonzero(audit.obs["used"] & ~audit.obs["is_reference"])
    values = 0.5 * (audit.X[np.roll(rows, 1)] + audit.X[rows].mean(axis=0))
    names = audit.obs["perturbation"].astype(str).to_numpy()[rows]
    brought = pd.DataFrame(values, index=names, columns=audit.var_names)
    spb.tl.add_predictions(audit, brought, key_added="other", test=names.tolist())
    return audit


def naive_counts(effects: np.ndarray, k: int) -> np.ndarray:
    counts = np.zeros(effects.shape[1], dtype=int)
    for row in np.abs(effects):
        known = np.flatnonzero(~np.isnan(row))
        counts[sorted(known, key=lambda g: (-row[g], g))[:k]] += 1
    return counts


def test_counts_by_hand(audited):
    recurrence(audited, k=7)
    table = _store.table(audited, "recurrence", made_by="")
    screen = _moments.of(audited).merged
    rows = np.flatnonzero(screen.used & (np.arange(len(screen.names)) > 0))
    m, names = screen.moments, np.array(screen.names)[rows]
    observed, c = m.mean[rows], m.control
    predicted = spb.get.predictions(audited, "other").loc[names].to_numpy()
    error = np.where(np.isnan(z_scores(m, rows)), np.nan, z_errors(m, rows))
    fold = audited.obs.set_index("perturbation")["fold"].loc[names].to_numpy()
    away = predicted - np.array([predicted[fold == f].mean(axis=0) for f in fold])
    expected = {
        ("observed", "delta"): observed - c + 0 * error,
        ("observed", "z"): (observed - c) / error,
        ("observed", "centered"): (observed - observed.mean(axis=0)) / error,
        ("other", "delta"): predicted - c + 0 * error,
        ("other", "z"): (predicted - c) / error,
        ("other", "centered"): away / error,
    }
    for (model, by), effects in expected.items():
        found = table[(table["model"] == model) & (table["by"] == by)].set_index("gene")["count"]
        counts = pd.Series(naive_counts(effects, 7), index=audited.var_names)
        pd.testing.assert_series_equal(found, counts.loc[found.index], check_names=False, check_dtype=False)
        assert counts.drop(found.index).sum() == 0
    assert (table["n_perturbations"] == len(rows)).all()
    assert table.groupby(["model", "by"])["expected"].sum().max() <= 7 * len(rows) + 1e-9


def test_table(audited):
    recurrence(audited)
    table = _store.table(audited, "recurrence", made_by="")
    assert table.columns.tolist() == [
        "model", "by", "gene", "count", "n_perturbations", "expected", "excess", "excess_ci_low", "excess_ci_high", "p", "q",
        "n_effective_genes", "note", "symbol",
    ]  # fmt: skip
    assert table["model"].unique().tolist() == ["observed", "no_change", "mean", "other"]
    assert table["by"].unique().tolist() == ["delta", "z", "centered"]
    assert not table.duplicated(["model", "by", "gene"]).any()
    is_data = table["model"] == "observed"
    tested = is_data & (table["by"] != "delta")
    assert table.loc[tested, ["p", "q"]].notna().all(axis=None)
    assert table.loc[~tested, ["p", "q"]].isna().all(axis=None)
    constant = table["model"].isin(["no_change", "mean"])
    assert (table["note"] == np.where(constant, "same prediction for every unseen perturbation", "")).all()
    interval = table[["excess_ci_low", "excess_ci_high"]]
    assert interval[is_data].isna().all(axis=None)
    assert (interval["excess_ci_low"] <= table["excess"])[~is_data].all()
    assert (table["excess"] <= interval["excess_ci_high"])[~is_data].all()
    wide = table.pivot(index=["by", "gene"], columns="model", values=["count", "excess"])
    assert wide[("excess", "observed")].isna().all()
    np.testing.assert_array_equal(
        wide[("excess", "mean")], (wide[("count", "mean")] - wide[("count", "observed")]).astype(float)
    )
    # Whatever is perturbed, a constant has its own five genes on top; what it is centered on it has nowhere.
    z = table[(table["model"] == "mean") & (table["by"] == "z")]
    assert z["n_effective_genes"].iloc[0] < 8
    assert z["count"].iloc[0] > 0.9 * z["n_perturbations"].iloc[0]
    assert table[(table["model"] == "no_change")]["count"].sum() == 0
    centered = table[(table["model"] == "mean") & (table["by"] == "centered")]
    assert (centered["count"] == 0).all()


def test_by_z_few_controls_are_not_tested():
    cells = spb.ds.simulate(3_000, 100, 30, axis_strength=0.5, keep_counts=False, rng=3)
    control = np.flatnonzero(cells.obs["perturbation"] == "control")
    keep = np.setdiff1d(np.arange(cells.n_obs), control[200:])
    profiles = spb.pp.profiles(cells[keep].copy())
    recurrence(profiles)
    table = _store.table(profiles, "recurrence", made_by="").groupby("by")
    assert table["q"].apply(lambda q: q.notna().all()).to_dict() == {"delta": False, "z": False, "centered": True}
    note = table["note"].first()
    assert note["z"] == "not tested, because there are fewer than five controls for each cell of a typical perturbation"
    assert note["centered"] == ""


def test_copy_and_missing(audited):
    plain = audited.copy()
    _store.put(plain, recurrence=None)
    copied = recurrence(plain, "mean", copy=True)
    assert set(_store.table(copied, "recurrence", made_by="")["model"]) == {"observed", "mean"}
    assert not _store.has_table(plain, "recurrence")
    with pytest.raises(ValueError, match="`k` is .*; it must be between 1 and the number of genes"):
        recurrence(plain, k=1000)
    assert recurrence(plain, ()) is None
    assert set(_store.table(plain, "recurrence", made_by="")["model"]) == {"observed"}


def test_order_of_rows_and_genes_does_not_matter(audited):
    screen = _moments.of(audited)
    first = recurrence_table(screen, {}).set_index(["by", "gene"]).sort_index()
    shuffled = spb.ds.simulate(5_000, 400, 60, axis_strength=0.5, keep_counts=False, rng=3)
    order = np.random.default_rng(0).permutation(shuffled.n_obs)
    second = recurrence_table(_moments.of(shuffled[order].copy()), {}).set_index(["by", "gene"]).sort_index()
    pd.testing.assert_frame_equal(first, second)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_planted_genes_are_called(seed):
    cells = spb.ds.simulate(
        12_000, n_perturbations=150, axis_strength=0.6, specific_strength=0.3, keep_counts=False, rng=seed
    )
    truth = cells.uns["scpertbias_truth"]
    screen = _moments.of(cells)
    table = recurrence_table(screen, {})
    z = table[table["by"] == "z"].set_index("gene")
    by_truth = top_mask(np.abs(truth["expected_delta"]) / np.sqrt(screen.moments.pooled_var), 5).mean(axis=0)
    often = pd.Series(by_truth, index=truth["genes"])[(by_truth >= 0.2) & (truth["axis"] != 0)].index
    assert len(often) >= 3
    assert (z["q"].reindex(often) < 0.05).mean() >= 0.5


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_nothing_planted_nothing_called(seed):
    cells = spb.ds.simulate(
        4_000,
        400,
        60,
        axis_strength=0.0,
        specific_strength=0.0,
        cell_axis_sd=0.3,
        control_fraction=0.15,
        keep_counts=False,
        rng=seed,
    )
    audit = spb.tl.audit(cells, models=("no_change", "mean", "ridge"), regimes=("full",))["full"]
    recurrence(audit)
    table = _store.table(audit, "recurrence", made_by="")
    assert not (table["q"] < 0.05).any(), table[table["q"] < 0.05]
