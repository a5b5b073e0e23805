"""Shares against what was planted, and the table."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments, _store
from scpertbias._tables import columns
from scpertbias.tl._confounding import confounding, confounding_table
from scpertbias.tl._gene_sets import measured_sets


def shares(adata, **kwargs):
    confounding(adata, **kwargs)
    table = _store.table(adata, "confounding", made_by="")
    return table[table["level"] == "screen"].set_index("axis"), table


@pytest.fixture(scope="module")
def cells():
    return spb.ds.simulate(8_000, 500, 60, axis_strength=0.5, keep_counts=False, rng=1)


@pytest.fixture
def papalexi():
    return spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")


def test_planted_shares(cells):
    screen, _ = shares(spb.pp.profiles(cells))
    truth = cells.uns["scpertbias_truth"]["share"]
    for axis in ("mt", "ribo", "upr_isr", "heat_shock", "oxphos_nuclear", "systematic"):
        assert screen.loc[axis, "share"] == pytest.approx(truth[axis], abs=0.05), axis
    for axis in ("mt", "upr_isr", "systematic"):
        assert screen.loc[axis, "ci_low"] < truth[axis] < screen.loc[axis, "ci_high"], axis
    assert screen.loc["mt", "p"] < 0.01
    assert screen.loc["mt", "beyond"]
    assert not screen.loc[screen["n_genes"] < 5, "beyond"].notna().any()
    assert "MT-" in screen.loc["systematic", "top_genes"]


@pytest.mark.slow
@pytest.mark.parametrize("rng", [0, 1, 2])
def test_planted_shares_of_few_cells(rng):
    """20 cells a perturbation and 100 control cells."""
    cells = spb.ds.simulate(
        3_100, 1187, 150, axis_strength=0.5, control_fraction=100 / 3_100, rng=rng, keep_counts=False
    )
    screen, _ = shares(spb.pp.profiles(cells, min_cells=2))
    truth = cells.uns["scpertbias_truth"]["share"]
    for axis in ("mt", "ribo", "upr_isr", "systematic"):
        assert screen.loc[axis, "share"] == pytest.approx(truth[axis], abs=0.05), axis


def test_nothing_planted():
    cells = spb.ds.simulate(3_000, 300, 30, axis_strength=0, specific_strength=0, keep_counts=False)
    screen, _ = shares(spb.pp.profiles(cells), n_random=50)
    assert screen["share"].isna().all()
    assert screen.loc["mt", "note"] == "no reproducible response"


def test_real_screen(papalexi):
    screen, table = shares(papalexi)
    assert table.columns.tolist() == columns("confounding")
    assert screen.loc["other", "share"] > 0.9
    assert screen.loc["systematic", "share"] > 0.5
    assert "STAT1" in screen.loc["leading_1", "top_genes"]
    assert screen.loc["depth", "note"] == "the sequencing depth is unknown" or np.isfinite(screen.loc["depth", "share"])
    axis = screen.loc["systematic"]
    assert axis[["share", "ci_low", "ci_high"]].to_numpy(float) == pytest.approx([0.70, 0.63, 0.76], abs=0.03)
    assert axis["carriers"] == "STAT1 JAK2 IFNGR2"
    assert 3 < axis["n_axis"] < 5
    assert axis["common_ci_high"] < 0.4
    assert screen.loc["mt", "mismatch"] > 0.5  # the five genes of a panel of 303 have no equally expressed ones
    assert not screen.loc["mt", "beyond"]
    assert (screen.loc[["mt", "other", "p53"], "n_effective"] < 25).all()
    weak = table[(table["axis"] == "systematic") & table["note"].str.startswith("effect too weak")]
    assert "ATF2" in set(weak["perturbation"])
    assert weak["share"].isna().all()
    strong = table[(table["axis"] == "systematic") & (table["perturbation"] == "STAT1")]
    assert strong["share"].item() > 0.8
    assert strong[["ci_low", "ci_high", "null", "p"]].isna().all(axis=None)


def test_a_program_is_named_among_the_hallmark_sets(papalexi):
    screen, table = shares(papalexi)
    pathway = screen.loc["HALLMARK_INTERFERON_GAMMA_RESPONSE"]
    assert pathway["n_genes"] == 10
    assert pathway[["share", "ci_low", "ci_high"]].to_numpy(float) == pytest.approx([0.67, 0.65, 0.70], abs=0.02)
    assert pathway["beyond"]
    assert (pathway["set_class"], pathway["part_of"]) == ("program", "")
    beyond = screen[screen["beyond"].eq(True).fillna(False).astype(bool)]
    assert "HALLMARK_INTERFERON_ALPHA_RESPONSE" not in beyond.index[beyond["part_of"] == ""], "six of the same genes"
    assert beyond["share"].idxmax() == pathway.name
    assert screen["set_class"].eq("program").sum() == 50 + 4
    single = table[table["level"] == "perturbation"]
    assert pathway.name in set(single["axis"])
    quiet = set(screen.index[screen.index.str.startswith("HALLMARK")]) - set(beyond.index)
    assert not quiet & set(single["axis"]), "perturbation by perturbation only where a program is beyond"


def test_programs_leave_the_shares_of_confounder_sets_alone(papalexi):
    screen, _ = shares(papalexi, n_random=100)
    confounder = screen[screen.index.isin([*spb.ds.confounder_sets()["source"], "other"])]
    assert confounder["shapley"].sum() == pytest.approx(1)
    assert screen.loc[screen.index.str.startswith("HALLMARK"), "shapley"].isna().all()
    assert set(confounder.index[confounder["set_class"] == "technical"]) == {
        "mt", "ribo", "heat_shock", "upr_isr", "histone",
    }  # fmt: skip
    assert (screen.loc[["other", "systematic", "depth"], "set_class"] == "").all()


def strong_perturbations(n_strong, strength, seed, *, n_perturbations=12, cells=300, control=4000, genes=600):
    """Twelve perturbations that move no gene in common, of which some are strong."""
    rng = np.random.default_rng(seed)
    effect = np.zeros((n_perturbations, genes))
    for p, block in enumerate(np.array_split(rng.permutation(genes), n_perturbations)):
        effect[p, block] = rng.normal(0, 1, len(block)) * (strength if p < n_strong else 0.05)
    label = ["control"] * control + [f"G{p}" for p in range(n_perturbations) for _ in range(cells)]
    y = rng.uniform(0.3, 2, genes) + rng.normal(0, 0.5, (len(label), genes))
    y[control:] += np.repeat(effect, cells, 0)
    obs = pd.DataFrame({"perturbation": label}, index=[f"c{i}" for i in range(len(label))])
    var = pd.DataFrame(index=[f"GENE{i}" for i in range(genes)])
    return ad.AnnData(np.clip(y, 0, None).astype("float32"), obs, var)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_strong_perturbations_without_a_gene_in_common_share_nothing(seed):
    """Each was once a part of its own axis: the share had a floor of 1 / n_effective."""
    screen, _ = shares(spb.pp.profiles(strong_perturbations(3, 3.0, seed)))
    axis = screen.loc["systematic"]
    if np.isfinite(axis["share"]):
        assert axis["share"] < 0.1
        assert axis["ci_low"] <= max(axis["share"], 0) <= axis["ci_high"]
        assert axis["ci_high"] < 0.25
    else:
        assert axis["note"] == "no axis is measurable"


def test_a_small_panel_without_effects_has_no_axis():
    rng = np.random.default_rng(0)
    label = ["control"] * 400 + [f"P{p}x" for p in range(30) for _ in range(100)]
    x = np.log1p(rng.poisson(rng.gamma(0.7, 3, 28) + 0.2, (len(label), 28))).astype("float32")
    obs = pd.DataFrame({"perturbation": label}, index=[f"c{i}" for i in range(len(label))])
    screen, table = shares(spb.pp.profiles(ad.AnnData(x, obs, pd.DataFrame(index=[f"GENE{i}" for i in range(28)]))))
    assert screen["share"].isna().all()
    assert screen.loc["systematic", "note"] == "no reproducible response"
    assert table.loc[table["level"] == "perturbation", "share"].notna().sum() <= 0.05 * 30 * 9


def test_cells_and_profiles_agree(cells):
    profiles = spb.pp.profiles(cells)
    copy = confounding(cells, n_random=20, copy=True)
    assert not _store.has_table(cells, "confounding")
    confounding(profiles, n_random=20)
    tables = [_store.table(a, "confounding", made_by="") for a in (copy, profiles)]
    pd.testing.assert_frame_equal(*tables)


def test_perturbations_that_target_the_set(cells):
    profiles = spb.pp.profiles(cells)
    used = profiles.obs.loc[profiles.obs["used"] & ~profiles.obs["is_reference"], "perturbation"].astype(str)
    mine = pd.DataFrame({"source": "mine", "target": [*used.iloc[:4], *profiles.var_names[:30], "not measured"]})
    screen, table = shares(profiles, sets=mine, n_random=0)
    hit = table[(table["axis"] == "mine") & (table["n_target"] == 1) & (table["level"] == "perturbation")]
    assert set(hit["perturbation"]) == set(used) & set(mine["target"])
    assert screen.loc["mine", "n_target"] == len(hit) >= 4
    assert screen.loc["mine", "share_without"] != screen.loc["mine", "share"]
    assert screen.loc["hemoglobin", "share_without"] == pytest.approx(screen.loc["hemoglobin", "share"])
    assert screen["p"].isna().all()
    assert screen["shapley"][screen["kind"] == "genes"].sum() == pytest.approx(1)


def test_own_sets_and_marked_genes(papalexi):
    sets = pd.DataFrame({"source": ["a", "a", "b"], "target": ["STAT1", "PSMB9", "absent"]})
    screen, _ = shares(papalexi, sets=sets, n_random=20)
    assert list(screen.index[:2]) == ["mt", "oxphos_nuclear"], "sets of one's own come beside the bundled ones"
    assert (screen.loc[["a", "b"], "set_class"] == "program").all()
    assert screen.loc["a", "n_genes"] == 2
    mine, _ = shares(papalexi, sets=sets.replace("a", "mt"), n_random=20)
    assert mine.loc["mt", ["n_genes", "set_class"]].tolist() == [2, "technical"], "one of the same name takes its place"
    assert screen.loc["a", "n_target"] == 1
    assert screen.loc["b", "note"] == "no gene of the set is measured"
    papalexi.var["mt"] = papalexi.var_names == "STAT1"
    screen, _ = shares(papalexi, n_random=20)
    assert screen.loc["mt", "top_genes"] == "STAT1↓"
    with pytest.raises(ValueError, match="`sets` lacks the columns"):
        confounding(papalexi, sets[["source"]])
    with pytest.raises(ValueError, match="'other'"):
        confounding(papalexi, sets.replace("a", "other"))


def test_mouse_genes_are_known(papalexi):
    papalexi.var_names = [
        f"mt-{g[3:].capitalize()}" if g.startswith("MT-") else g.capitalize() for g in papalexi.var_names
    ]
    screen = _moments.of(papalexi)
    found = {s.name: int(s.measured.sum()) for s in measured_sets(papalexi, screen)}
    assert found["mt"] == 5


def test_rng_decides(papalexi):
    screen = _moments.of(papalexi)
    sets = measured_sets(papalexi, screen)
    tables = [confounding_table(screen, sets, n_random=50, rng=rng) for rng in (0, 0, 1)]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    assert not tables[0]["null"].equals(tables[2]["null"])
    assert tables[0]["ci_high"].equals(tables[2]["ci_high"])
    assert (
        tables[0]
        .loc[tables[0]["kind"] == "genes", "share"]
        .equals(tables[2].loc[tables[2]["kind"] == "genes", "share"])
    )


def test_models_say_how_cells_are_read(cells):
    adata = cells[:, :150].copy()
    spb.pp.split(adata)
    spb.tl.fit_mean(adata, min_cells=100)
    _, table = shares(adata, n_random=10)
    n = adata.obs["perturbation"].value_counts().drop("non-targeting")
    assert table["perturbation"].nunique() - 1 == (n >= 100).sum() < 60


def test_depth_is_an_axis_where_it_is_known():
    cells = spb.ds.simulate(6000, 90, 12, rng=0)
    assert "total_counts" in cells.obs
    for adata in (cells, spb.pp.profiles(cells)):
        spb.tl.confounding(adata, n_random=20)
        row = spb.get.confounding(adata).query("axis == 'depth' and level == 'screen'").iloc[0]
        assert row["note"] != "the sequencing depth is unknown"
    del cells.obs["total_counts"]
    spb.tl.confounding(cells, n_random=20)
    assert spb.get.confounding(cells).query("axis == 'depth'")["note"].iloc[0] == "the sequencing depth is unknown"
