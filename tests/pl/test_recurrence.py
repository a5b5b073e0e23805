"""The picture shows the table: most recurrent genes, observed shares, stars."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

import scpertbias as spb
from scpertbias.get._scores import recurrence as table_of
from scpertbias.pl._recurrence import recurrence
from scpertbias.tl._recurrence import recurrence as ask


@pytest.fixture(scope="module")
def audited():
    cells = spb.ds.papalexi_2021()
    audit = spb.tl.audit(cells, batch_key="bio_rep", models=("no_change", "mean", "bilinear"), regimes=("full",))[
        "full"
    ]
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
    assert {"observed", "no change", "mean", "bilinear"} <= set(drawn)
    assert "no effect" in drawn or by == "centered"
    assert drawn.count("same prediction for all") == (2 if by == "centered" else 0)
    n, tested = table["n_perturbations"].iloc[0], by == "centered"  # too few controls per cell for z
    assert drawn.count(f"n = {n}") == 3 + tested
    assert drawn.count(f"n = {n}, not tested") == 1 - tested


def test_what_is_returned(audited):
    _, given = plt.subplots()
    assert recurrence(audited, ax=given, show=False) is given
    assert isinstance(recurrence(audited, models="mean", return_fig=True), Figure)
    assert set(names(recurrence(audited, models="mean", show=False))) & {"no change", "bilinear"} == set()
    with pytest.raises(KeyError, match="`by` is 'x'"):
        recurrence(audited, "x")
    with pytest.raises(KeyError, match="Run spb.tl.recurrence first"):
        recurrence(spb.ds.papalexi_2021())


def test_data_alone():
    profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    ask(profiles)
    assert "PSMB9" in " ".join(names(recurrence(profiles, show=False)))


@pytest.fixture(scope="module")
def of_few():
    return spb.tl.audit(
        spb.ds.papalexi_2021(),
        batch_key="bio_rep",
        models=("mean", "bilinear"),
        regimes=("full",),
        n_random=0,
    )


def lengths(ax: Axes) -> list[float]:
    return [bar.get_width() for bar in ax.patches if bar.get_facecolor()[3] > 0]


@pytest.mark.parametrize("by", ["z", "centered"])
def test_every_model_is_drawn_as_a_share_of_its_own_perturbations(of_few, by):
    table = spb.get.recurrence(of_few).query("regime == 'full' and by == @by and count > 0")
    n = table.groupby("model")["n_perturbations"].first()
    assert n["bilinear"] < n["observed"]
    ax = recurrence(of_few, by, models="bilinear", show=False)
    drawn = [table[table["model"] == model].head(15) for model in ("observed", "bilinear")]
    shares = np.concatenate([(rows["count"] / rows["n_perturbations"]).to_numpy() for rows in drawn])
    np.testing.assert_allclose(np.array(lengths(ax)) / lengths(ax)[0], shares / shares[0])
    of_data = f"n = {n['observed']}{'' if by == 'centered' else ', not tested'}"
    assert {of_data, f"n = {n['bilinear']}"} <= set(names(ax))
    assert "% of the n perturbations" in ax.get_xlabel()


@pytest.mark.parametrize("by", ["z", "centered"])
def test_diamonds_are_the_observed_share_of_the_same_perturbations(of_few, by):
    rows = spb.get.recurrence(of_few).query("regime == 'full' and by == @by and model == 'bilinear' and count > 0")
    alone = ask(of_few["full"], models="bilinear", copy=True)  # all on what this model predicts
    observed = table_of(alone).query("by == @by and model == 'observed'").set_index("gene")
    assert observed["n_perturbations"].iloc[0] == rows["n_perturbations"].iloc[0]
    ax = recurrence(of_few, by, models="bilinear", show=False)
    (diamonds,) = [c for c in ax.collections if isinstance(c, PathCollection)]
    bars = [bar for bar in ax.patches if bar.get_facecolor()[3] > 0][-len(rows) :]
    start, unit = bars[0].get_x(), bars[0].get_width() / rows["count"].iloc[0]
    counts = (np.asarray(diamonds.get_offsets())[:, 0] - start) / unit
    np.testing.assert_allclose(counts, observed["count"].reindex(rows["gene"], fill_value=0), atol=1e-9)
    assert counts.max() > 0


@pytest.mark.parametrize("by", ["delta", "z", "centered"])
def test_a_star_is_a_q_below_5_percent_in_the_row_of_that_scale_and_model(of_few, by):
    table = spb.get.recurrence(of_few).query("regime == 'full' and by == @by and count > 0")
    top = table.groupby("model", sort=False).head(15)
    wanted = [f"{symbol} *" for symbol in top.loc[top["q"] < 0.05, "symbol"]]
    drawn = recurrence(of_few, by, show=False).texts
    assert sorted(t.get_text() for t in drawn if t.get_text().endswith(" *")) == sorted(wanted)
    assert all(t.get_fontweight() == "bold" for t in drawn if t.get_text().endswith(" *"))
    assert bool(wanted) == (by == "centered")
