"""Which gene sets there are, of which class, and which of several with the same genes is named."""

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias.tl._gene_sets import OTHER, TECHNICAL, GeneSet, measured_sets, notable, overlapped

SYMBOLS = ("MT-CO1", "RPL3", "HSPA1A", "CDK1", "STAT1", "IRF1", "GENE1", "GENE2")


@pytest.fixture
def screen():
    rng = np.random.default_rng(0)
    obs = pd.DataFrame({"perturbation": ["control"] * 40 + ["A"] * 40}, index=[f"c{i}" for i in range(80)])
    adata = spb.ds.papalexi_2021()[:80, : len(SYMBOLS)].copy()
    adata.obs, adata.var_names = obs, list(SYMBOLS)
    adata.X = rng.random((80, len(SYMBOLS))).astype("float32")
    return adata


def sets_of(adata, sets=None):
    return {s.name: s for s in measured_sets(adata, _moments.of(adata), sets)}


def test_every_set_has_a_class_and_a_pool_of_genes_in_no_confounder_set(screen):
    sets = sets_of(screen)
    assert {name for name, s in sets.items() if s.set_class == "technical"} == set(TECHNICAL)
    assert {name for name, s in sets.items() if s.set_class == ""} == {OTHER}
    interferon = sets["HALLMARK_INTERFERON_GAMMA_RESPONSE"]
    assert np.array(SYMBOLS)[interferon.measured].tolist() == ["STAT1", "IRF1"]
    assert np.array(SYMBOLS)[interferon.pool].tolist() == ["GENE1", "GENE2"]
    assert np.array(SYMBOLS)[sets["mt"].pool].tolist() == ["STAT1", "IRF1", "GENE1", "GENE2"]
    assert np.array(SYMBOLS)[sets[OTHER].measured].tolist() == ["STAT1", "IRF1", "GENE1", "GENE2"]
    assert sets["cell_cycle"].confounder
    assert not interferon.confounder
    assert not sets[OTHER].pool.any()


def test_sets_of_the_user_are_programs_unless_they_are_named_as_a_technical_set(screen):
    own = pd.DataFrame({"source": ["mine", "mt", "mt"], "target": ["STAT1", "GENE1", "absent"]})
    screen.var["mt"] = screen.var_names == "MT-CO1"
    sets = sets_of(screen, own)
    assert (sets["mine"].set_class, sets["mine"].by_user) == ("program", True)
    assert sets["mt"].set_class == "technical"
    assert np.array(SYMBOLS)[sets["mt"].measured].tolist() == ["GENE1"], "what the user gave, before var['mt']"
    assert not sets["mine"].pool[SYMBOLS.index("GENE1")]


def test_mouse_genes_are_in_mouse_sets(screen):
    screen.var_names = [f"mt-{g[3:].capitalize()}" if g.startswith("MT-") else g.capitalize() for g in SYMBOLS]
    sets = sets_of(screen)
    assert sets["mt"].measured.sum() == 1
    assert sets["HALLMARK_INTERFERON_GAMMA_RESPONSE"].measured.sum() == 2


def gene_set(name, first, last, set_class="program"):
    genes = np.arange(40)
    inside = (genes >= first) & (genes < last)
    return GeneSet(name, inside, frozenset(), ~inside, set_class, confounder=False)


def test_of_sets_with_the_same_genes_one_is_named():
    sets = [
        gene_set("a", 0, 10),
        gene_set("b", 5, 15),
        gene_set("c", 6, 16),
        gene_set("d", 20, 30),
        gene_set("e", 0, 3),
    ]
    assert overlapped(sets, [True] * 5, [0.5, 0.6, 0.4, 0.1, 0.05]) == ["b", "", "b", "", ""]
    assert overlapped(sets, [True, False, True, True, True], [0.5, 0.6, 0.4, 0.1, 0.05]) == ["", "", "", "", "a"]
    technical = [*sets[:3], gene_set("t", 0, 12, "technical")]
    assert overlapped(technical, [True] * 4, [0.5, 0.6, 0.4, 0.3]) == ["t", "t", "t", ""]
    assert overlapped(sets, [False] * 5, [np.nan] * 5) == [""] * 5


def test_of_the_hallmark_sets_those_that_say_something_are_shown():
    hallmark = spb.ds.hallmark()["source"].unique()[:3].tolist()
    table = pd.DataFrame({"axis": ["mt", *hallmark, "mine"], "beyond": pd.NA, "part_of": ""})
    table.loc[1:2, "beyond"] = True
    table.loc[2, "part_of"] = hallmark[0]
    assert notable(table)["axis"].tolist() == ["mt", hallmark[0], "mine"]
