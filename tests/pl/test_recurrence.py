"""The picture shows the table: most recurrent genes, observed counts, stars."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import scpertbias as spb
from scpertbias.get._recurrence import recurrence as table_of
from scpertbias.pl._recurrence import recurrence
from scpertbias.tl._recurrence import recurrence as ask


@pytest.fixture(scope="module")
def audited():
    cells = spb.ds.papalexi_2021()
    audit = spb.tl.audit(cells, strata="bio_rep", models=("control", "mean", "bilinear"), regimes=("full",))["full"]
    ask(audit)
    return audit


def names(ax: Axes) -> list[str]:
    return [t.get_text() for t in ax.texts]


@pytest.mark.parametrize("by", ["delta", "z", "centered"])
def test_most_recurrent_genes_are_drawn(audited, by):
    ax = recurrence(audited, by, n_genes=6, show=False)
    table = table_of(audited)
    drawn = names(ax)
    for model in ("observed", "bilinear"):
        mine = table[(table["model"] == model) & (table["by"] == by) & (table["count"] > 0)].head(6)
        wanted = [f"{g} *" if q < 0.05 else g for g, q in zip(mine["gene"], mine["q"], strict=True)]
        start = drawn.index(wanted[0])
        assert set(wanted) <= set(drawn[start:])
    assert {"observed", "control", "mean", "bilinear"} <= set(drawn)
    assert "no effect" in drawn or by == "centered"
    assert drawn.count("the same for all") == (2 if by == "centered" else 0)
    assert f"of {table['n_perturbations'].iloc[0]}" in ax.get_xlabel()


def test_what_is_returned(audited):
    _, given = plt.subplots()
    assert recurrence(audited, ax=given, show=False) is given
    assert isinstance(recurrence(audited, models="mean", return_fig=True), Figure)
    assert set(names(recurrence(audited, models="mean", show=False))) & {"control", "bilinear"} == set()
    with pytest.raises(KeyError, match="`by` is 'x'"):
        recurrence(audited, "x")
    with pytest.raises(KeyError, match="Run spb.tl.recurrence first"):
        recurrence(spb.ds.papalexi_2021())


def test_data_alone():
    profiles = spb.pp.pseudobulk(spb.ds.papalexi_2021(), strata="bio_rep")
    ask(profiles)
    assert "PSMB9" in " ".join(names(recurrence(profiles, show=False)))


def test_a_model_counted_on_other_perturbations_has_no_observed_counts_beside_it():
    mdata = spb.tl.audit(
        spb.ds.papalexi_2021(),
        strata="bio_rep",
        covariates=["p_mito"],
        models=("mean", "bilinear"),
        n_boot=10,
        n_random=0,
    )
    ax = spb.pl.recurrence(mdata, show=False)
    assert ax.figure is not None
    table = spb.get.recurrence(mdata).query("regime == 'full'").set_index("model")["n_perturbations"]
    assert table["bilinear"].iloc[0] < table["observed"].iloc[0]
