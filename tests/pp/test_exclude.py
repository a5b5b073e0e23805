"""Genes of a set are gone afterwards; a set without genes is said."""

import numpy as np
import pytest

import scpertbias as spb
from scpertbias import _moments


def test_removes_the_genes_and_remembers_them(cells):
    kept = [g for g in cells.var_names if g not in {"MT-CO1", "MT-ND1", "RPL3", "RPS6"}]
    expected = cells[:, kept].X.toarray()
    spb.pp.exclude_confounders(cells, "mt")
    assert list(cells.uns["scpertbias"]["excluded"]) == ["MT-CO1", "MT-ND1"]
    spb.pp.exclude_confounders(cells, ["ribo"])
    assert cells.var_names.tolist() == kept
    assert "RPS6KA1" in cells.var_names
    np.testing.assert_array_equal(cells.X.toarray(), expected)
    assert cells.layers["counts"].shape == cells.shape
    assert list(cells.uns["scpertbias"]["excluded"]) == ["MT-CO1", "MT-ND1", "RPL3", "RPS6"]


def test_annotation_wins_over_names(cells):
    cells.var["mt"] = cells.var_names == "GENE3"
    cells.var["ribo"] = cells.var_names.isin(["RPS6", "RPS6KA1"])
    spb.pp.exclude_confounders(cells)
    assert list(cells.uns["scpertbias"]["excluded"]) == ["RPS6", "RPS6KA1", "GENE3"]


def test_an_empty_set_warns_and_none_at_all_is_an_error(cells):
    cells.var["empty"] = False
    with pytest.warns(UserWarning, match="The set 'empty' contains no measured gene"):
        spb.pp.exclude_confounders(cells, ["mt", "empty"])
    with pytest.raises(ValueError, match=r"no measured gene is in \['mt', 'empty'\].*gene_symbols="):
        spb.pp.exclude_confounders(cells, ["mt", "empty"])


def test_errors_change_nothing(cells):
    shape = cells.shape
    cells.var["all"] = True
    cells.var["score"] = 1.0
    cells.var["gaps"] = [True, None] * (cells.n_vars // 2)
    with pytest.raises(KeyError, match=r"var has no column 'stress'.*annotate_confounders"):
        spb.pp.exclude_confounders(cells, ["mt", "stress"])
    with pytest.raises(ValueError, match="no gene would remain"):
        spb.pp.exclude_confounders(cells, "all")
    for name in ("score", "gaps"):
        with pytest.raises(TypeError, match=f"var\\['{name}'\\].*boolean"):
            spb.pp.exclude_confounders(cells, name)
    assert cells.shape == shape
    assert "scpertbias" not in cells.uns


def test_profiles_stay_profiles(cells):
    profiles = spb.pp.profiles(cells, covariates=["stress"])
    profiles.var["x"] = profiles.var_names.isin(["STAT1", "GENE0"])
    before = profiles.copy()
    assert profiles.obs.loc["STAT1", "target_measured"]
    spb.pp.exclude_confounders(profiles, "x")
    assert not profiles.obs.loc["STAT1", "target_measured"], "its own gene is no longer measured"
    assert profiles.obs.loc["JAK2", "target_measured"]
    moments = _moments.of(profiles).moments
    keep = ~before.var["x"].to_numpy()
    np.testing.assert_array_equal(moments.half, _moments.of(before).moments.half[:, :, keep])
    assert moments.covariates.cross.shape[2] == keep.sum()
    expected = spb.pp.profiles(cells[:, keep].copy(), covariates=["stress"])
    np.testing.assert_allclose(profiles.X, expected.X)
    assert profiles.obs["target_measured"].tolist() == expected.obs["target_measured"].tolist()
