"""Differential expression from profiles, against scanpy's test on the cells."""

import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import stats

import scpertbias as spb
from scpertbias import _moments

KEY = "perturbation"


@pytest.fixture(scope="module")
def cells():
    adata = spb.ds.papalexi_2021()
    strong = ["STAT1", "IFNGR2", "CAV1", "non-targeting"]
    del adata.obs["bio_rep"]  # one batch, as scanpy's test has
    return adata[adata.obs[KEY].isin(strong)][::2].copy()


@pytest.fixture(scope="module")
def profiles(cells):
    return spb.pp.profiles(cells)


@pytest.mark.filterwarnings("ignore::pandas.errors.PerformanceWarning")
def test_without_the_guard_it_is_the_t_test_of_scanpy(cells, profiles):
    sc.tl.rank_genes_groups(cells, KEY, reference="non-targeting", method="t-test", key_added="t")
    screen = _moments.of(profiles)
    m, n = screen.moments, screen.moments.n
    for p in range(1, len(screen.names)):
        theirs = sc.get.rank_genes_groups_df(cells, screen.names[p], key="t").set_index("names").loc[screen.genes]
        t = (m.mean[p] - m.control) / np.sqrt(m.noise[p])
        parts = m.var[p] / n[p], m.control_var[0] / m.n_control[0]
        freedom = sum(parts) ** 2 / (parts[0] ** 2 / (n[p] - 1) + parts[1] ** 2 / (m.n_control[0] - 1))
        ours = 2 * stats.t.sf(np.abs(t), freedom)
        known = theirs["pvals"] > 0
        np.testing.assert_allclose(np.log10(ours[known]), np.log10(theirs["pvals"][known]), atol=1e-10)
        np.testing.assert_allclose(t, theirs["scores"], rtol=1e-5)  # scanpy keeps 32 bits of a score


def test_columns_are_the_definition_on_cells(cells, profiles):
    table = spb.get.de(profiles, "STAT1", q_below=None).set_index("gene").loc[profiles.var_names]
    x, y = (cells[cells.obs[KEY] == name].to_df().astype(float) for name in ("STAT1", "non-targeting"))
    groups = [cells[cells.obs[KEY] == name].to_df().astype(float) for name in cells.obs[KEY].cat.categories]
    pooled = sum((len(g) - 1) * g.var() for g in groups) / (cells.n_obs - len(groups))
    error = np.sqrt(np.maximum(x.var(), pooled) / len(x) + np.maximum(y.var(), pooled) / len(y))
    np.testing.assert_allclose(table["log_change"], x.mean() - y.mean(), atol=1e-6)
    np.testing.assert_allclose(table["standard_error"], error, rtol=1e-5)
    carrying = [(g.sum() ** 2 / (g**2).sum()).fillna(0) for g in (x, y)]
    np.testing.assert_array_equal(table["z"].isna(), sum(carrying) < 10 - 1e-6)
    known = table["z"].notna()
    np.testing.assert_allclose(table["z"][known], (table["log_change"] / table["standard_error"])[known])
    np.testing.assert_allclose(table["p"][known], 2 * stats.norm.sf(table["z"][known].abs()), rtol=1e-10)
    np.testing.assert_allclose(table["q"][known], stats.false_discovery_control(table["p"][known]))
    assert table.index[table["is_target"]].tolist() == ["STAT1"]


def test_a_selection_has_the_rows_of_the_whole(profiles, monkeypatch):
    whole = spb.get.de(profiles, q_below=None)
    assert len(whole) == 3 * profiles.n_vars
    assert whole.groupby(KEY)["p"].apply(lambda p: p.dropna().is_monotonic_increasing).all()
    called = whole[whole["q"] < 0.05].reset_index(drop=True)
    pd.testing.assert_frame_equal(spb.get.de(profiles), called)
    pd.testing.assert_frame_equal(
        spb.get.de(profiles, ["STAT1", "CAV1"], q_below=0.3),
        pd.concat([whole[(whole[KEY] == name) & (whole["q"] < 0.3)] for name in ("STAT1", "CAV1")], ignore_index=True),
    )
    monkeypatch.setattr("scpertbias.get._de.AT_ONCE", 1)  # one perturbation at a time
    pd.testing.assert_frame_equal(spb.get.de(profiles, q_below=None), whole)


def test_splits_of_a_perturbation_are_taken_together(cells, profiles):
    parts = cells.copy()
    parts.obs["split"] = np.where(np.arange(parts.n_obs) % 3, "train", "test")
    split = spb.pp.profiles(parts)
    assert split.n_obs > profiles.n_obs
    pd.testing.assert_frame_equal(spb.get.de(split), spb.get.de(profiles), rtol=1e-8)


def test_an_audit_has_it_for_every_regime(small_audit):
    name = small_audit["full"].obs[KEY].astype(str).iloc[-1]
    full, other = (spb.get.de(small_audit, name, q_below=None, regime=regime) for regime in (None, "no_mt"))
    assert set(other["gene"]) < set(full["gene"])
    both = full.merge(other, on="gene")
    np.testing.assert_allclose(both["z_x"], both["z_y"])


def test_what_is_not_there(cells, profiles):
    with pytest.raises(ValueError, match=r"spb\.pp\.profiles"):
        spb.get.de(cells)
    with pytest.raises(KeyError, match="'JAK9' not available; choose from CAV1, IFNGR2, STAT1"):
        spb.get.de(profiles, "JAK9")
    with pytest.raises(KeyError, match="non-targeting"):
        spb.get.de(profiles, "non-targeting")
