"""Groups of genes that divide a response, against sums by hand and what was planted."""

import numpy as np
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias.tl._composition import TOO_WEAK, composition_table
from scpertbias.tl._gene_sets import measured_sets


@pytest.fixture(scope="module")
def profiles():
    cells = spb.ds.simulate(6_000, 500, 30, axis_strength=0.5, keep_counts=False, rng=1)
    made = spb.pp.profiles(cells)
    spb.tl.confounding(made)
    return made


def test_shares_add_up_to_one_or_are_not_known(profiles):
    table = spb.get.composition(profiles)
    total = table.groupby("perturbation")["share"].sum(min_count=1)
    np.testing.assert_allclose(total.dropna(), 1.0)
    weak = table["share"].isna()
    assert (table["note"] == np.where(weak, TOO_WEAK, "")).all()
    assert total.notna().sum() > 0
    assert table.groupby("perturbation")["n_genes"].sum().unique().tolist() == [profiles.n_vars]
    assert table["response_share"].sum() == pytest.approx(1)


def test_each_gene_is_in_one_group_technical_ones_first(profiles):
    screen = _moments.of(profiles)
    sets = measured_sets(profiles, screen)
    confounding = spb.get.confounding(profiles)
    table = composition_table(screen, sets, confounding)
    groups = table.drop_duplicates("group")
    order = (groups["set_class"] == "technical").tolist()
    assert order == sorted(order, reverse=True)
    assert groups["group"].iloc[-1] == "other"
    alone = confounding[(confounding["level"] == "perturbation") & (confounding["axis"] == "mt")]
    first = table[table["group"] == "mt"].set_index("perturbation")["share"]
    np.testing.assert_allclose(alone.set_index("perturbation")["share"], first.reindex(alone["perturbation"]))


def test_what_was_planted(profiles):
    """The share of a set in the response of the screen is that of its perturbations, each by its own response."""
    table = spb.get.composition(profiles, group="mt")
    whole = spb.get.confounding(profiles, level="screen").set_index("axis")["share"]["mt"]
    assert table["response_share"].sum() == pytest.approx(whole)


def test_a_program_beyond_chance_comes_before_the_rest():
    papalexi = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    spb.tl.confounding(papalexi)
    groups = spb.get.composition(papalexi)["group"].unique().tolist()
    assert groups[:2] == ["mt", "upr_isr"]
    assert groups[2] == "HALLMARK_INTERFERON_GAMMA_RESPONSE"
