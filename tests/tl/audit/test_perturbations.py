import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, rankdata

import scpertbias as spb
from scpertbias import _moments
from scpertbias._core import detection
from scpertbias._core.resampling import benjamini_hochberg
from scpertbias._core.z_scores import z_scores
from scpertbias.pp._check import findings
from scpertbias.tl._audit.perturbations import KINDS, perturbations_table
from scpertbias.tl._confounding import confounding_table
from scpertbias.tl._gene_sets import measured_sets


@pytest.fixture(scope="module")
def profiles():
    return spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep", min_cells=100)


@pytest.fixture(scope="module")
def screen(profiles):
    return _moments.of(profiles)


@pytest.fixture(scope="module")
def check(screen, profiles):
    return findings(screen, profiles)


@pytest.fixture(scope="module")
def confounding(screen, profiles):
    return confounding_table(screen, measured_sets(profiles, screen), n_random=10, rng=0)


def test_numbers_are_those_of_the_check(screen, check):
    table = perturbations_table(screen, check).set_index("perturbation")
    mine = check[check["check"] == "perturbation"].set_index("perturbation")
    assert list(table.index) == list(mine.index)
    np.testing.assert_allclose(table["effect"], np.sqrt(mine["squared_effect"].clip(lower=0)))
    assert (table["effect"] == 0).any()
    assert (table["n_cells"] == mine["n_cells"]).all()
    assert (table["top_genes"] == mine["top_genes"]).all()


def test_own_gene(screen, check):
    table = perturbations_table(screen, check).set_index("perturbation")
    m = screen.merged.moments
    p, g = screen.names.index("JAK2"), list(screen.genes).index("JAK2")
    z = z_scores(m, np.array([p]))[0]
    rank = rankdata(np.abs(z), nan_policy="omit")[g]
    assert table.loc["JAK2", "target_gene"] == "JAK2"
    assert table.loc["JAK2", "target_z"] == pytest.approx(z[g])
    assert table.loc["JAK2", "target_log_change"] == pytest.approx(m.mean[p, g] - m.control[g])
    assert table.loc["JAK2", "target_percentile"] == pytest.approx((rank - 0.5) / np.isfinite(z).sum())
    q = benjamini_hochberg(2 * norm.sf(np.abs(table["target_z"].where(table["kind"] != "too few cells"))))
    np.testing.assert_allclose(table["target_q"], q)
    assert table.loc["BRD4", "target_gene"] == ""
    assert np.isnan(table.loc["BRD4", "target_z"])


def test_own_gene_where_no_target_is_measured():
    adata = spb.ds.papalexi_2021()
    adata = adata[:, ~adata.var_names.isin(set(adata.obs["perturbation"]))].copy()
    screen = _moments.of(adata, batch_key="bio_rep")
    table = perturbations_table(screen, findings(screen, adata))
    assert set(table["target_gene"]) == {""}
    for column in ("target_z", "target_percentile", "target_log_change", "target_q"):
        assert table[column].dtype == np.float64
        assert table[column].isna().all()


def test_of_several_targets_the_one_that_moved_least():
    adata = spb.ds.papalexi_2021()
    adata.obs["perturbation"] = adata.obs["perturbation"].astype(str).replace({"STAT1": "STAT1+STAT5A+JAK2"})
    screen = _moments.of(adata, batch_key="bio_rep")
    row = perturbations_table(screen, findings(screen, adata)).set_index("perturbation").loc["JAK2+STAT1+STAT5A"]
    assert row["target_gene"] == "JAK2"


def test_words_without_axes(screen, check):
    kinds = perturbations_table(screen, check).set_index("perturbation")["kind"]
    assert kinds["SPI1"] == "too few cells"
    assert kinds["ATF2"] == "not detected"
    assert kinds["STAT1"] == "specific"
    assert set(kinds) <= set(KINDS)


def test_words_are_those_that_the_table_declares():
    words = ("TOO_FEW_CELLS", "NOT_DETECTED", "TARGET_ONLY", "IN_CONFOUNDER_SET", "MOSTLY_SHARED", "SPECIFIC", "WEAK")
    assert tuple(getattr(detection, word) for word in words) == KINDS


def test_words_and_shares_with_axes(screen, check, confounding):
    table = perturbations_table(screen, check, confounding).set_index("perturbation")
    single = confounding[confounding["level"] == "perturbation"].set_index(["axis", "perturbation"])["share"]
    for axis in ("mt", "systematic"):
        np.testing.assert_allclose(table.loc[["STAT1", "IFNGR2"], axis], single[axis][["STAT1", "IFNGR2"]])
    assert np.isnan(table.loc["ATF2", "systematic"])
    shared = single["systematic"].reindex(table.index) > 0.5
    sorted_kinds = table["kind"].isin(["specific", "mostly shared"])
    assert (table.loc[sorted_kinds, "kind"] == np.where(shared, "mostly shared", "specific")[sorted_kinds]).all()
    assert set(table.loc[sorted_kinds, "kind"]) == {"specific", "mostly shared"}


def test_of_an_audit_the_full_regime_is_read(screen, check, confounding):
    other = confounding.assign(regime="no_mt", share=9.0)
    both = pd.concat([confounding.assign(regime="full"), other], ignore_index=True)
    pd.testing.assert_frame_equal(
        perturbations_table(screen, check, both), perturbations_table(screen, check, confounding)
    )


def test_a_program_is_no_confounder_and_no_technical_set(screen, check, confounding):
    """A set of the user is a program: it may hold the whole effect of a perturbation."""
    mine = (confounding["level"] == "perturbation") & (confounding["axis"] == "p53")
    program = confounding[mine].assign(axis="interferon", share=0.9, n_target=1)
    both = pd.concat([confounding, program], ignore_index=True)
    pd.testing.assert_frame_equal(
        perturbations_table(screen, check, both), perturbations_table(screen, check, confounding)
    )
    technical = both.replace({"axis": {"interferon": "heat_shock_2", "heat_shock": "unused", "p53": "heat_shock"}})
    technical.loc[technical["axis"] == "heat_shock", "share"] = 0.9
    kinds = perturbations_table(screen, check, technical)["kind"]
    assert "specific" not in set(kinds)


def test_a_target_in_a_set(screen, check, confounding):
    changed = confounding.copy()
    mine = (changed["level"] == "perturbation") & (changed["perturbation"] == "STAT1") & (changed["axis"] == "p53")
    changed.loc[mine, "n_target"] = 1
    kinds = perturbations_table(screen, check, changed).set_index("perturbation")["kind"]
    assert kinds["STAT1"] == "targets a confounder gene"
    assert "targets a confounder gene" not in set(kinds.drop("STAT1"))


@pytest.mark.parametrize("name", ["RPS6", "mt-Nd1"])
def test_a_mitochondrial_or_ribosomal_target_that_is_not_measured(name):
    adata = spb.ds.papalexi_2021()
    adata.obs["perturbation"] = adata.obs["perturbation"].astype(str).replace({"STAT1": name})
    screen = _moments.of(adata, batch_key="bio_rep")
    kinds = perturbations_table(screen, findings(screen, adata)).set_index("perturbation")["kind"]
    assert kinds[name] == "targets a confounder gene"
    assert list(kinds).count("targets a confounder gene") == 1
