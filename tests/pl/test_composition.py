import pytest

import scpertbias as spb
from scpertbias import _store


@pytest.fixture(scope="module")
def profiles():
    made = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    spb.tl.confounding(made)
    return made


def widths(ax):
    """Shares by perturbation and group."""
    names = [label.get_text() for label in ax.get_yticklabels()]
    return {
        (names[round(bar.get_y() + bar.get_height() / 2)], bars.get_label()): bar.get_width()
        for bars in ax.containers
        for bar in bars
    }


def test_shares_are_those_of_the_table_and_add_up_to_one(profiles):
    ax = spb.pl.composition(profiles, show=False)
    drawn = widths(ax)
    table = spb.get.composition(profiles).dropna(subset="share")
    stat1 = table[table["perturbation"] == "STAT1"].set_index("group")["share"]
    assert drawn["STAT1", "Hallmark interferon gamma response"] == pytest.approx(
        stat1["HALLMARK_INTERFERON_GAMMA_RESPONSE"]
    )
    assert drawn["STAT1", "mitochondrial"] == pytest.approx(stat1["mt"])
    rows = {name for name, _ in drawn}
    assert rows == set(table["perturbation"])
    for row in rows:
        assert sum(width for (name, _), width in drawn.items() if name == row) == pytest.approx(1)
    assert (
        ax.get_title()
        == f"gene sets in the {len(rows)} largest effects ({len(rows)} of 25 effects are strong enough for shares)"
    )


def test_the_strongest_sorted_by_their_largest_group(profiles):
    ax = spb.pl.composition(profiles, n_perturbations=5, show=False)
    names = [label.get_text() for label in ax.get_yticklabels()]
    table = spb.get.composition(profiles)
    size = table.groupby("perturbation")["response_share"].sum()
    assert set(names) == set(size.nlargest(5).index)
    drawn = widths(ax)
    share = [drawn[name, "Hallmark interferon gamma response"] for name in names]
    first = [value > 0.5 for value in share]
    assert first == sorted(first, reverse=True)
    assert share[: sum(first)] == sorted(share[: sum(first)], reverse=True)


def test_negative_shares_lie_left_of_zero(profiles):
    ax = spb.pl.composition(profiles, show=False)
    bars = [bar for bars in ax.containers for bar in bars if bar.get_width() < 0]
    assert bars
    assert all(bar.get_x() <= 0 for bar in bars)


def test_palette_and_nothing_to_draw(profiles):
    ax = spb.pl.composition(profiles, palette={"mt": "#ff0000"}, show=False)
    (mt,) = [bars for bars in ax.containers if bars.get_label() == "mitochondrial"]
    assert mt[0].get_facecolor()[:3] == (1, 0, 0)
    weak = profiles.copy()
    _store.put(weak, composition=spb.get.composition(profiles).assign(share=float("nan")))
    assert spb.pl.composition(weak, show=False).get_title().startswith("gene sets in the 0 largest effects (0 of 25")
