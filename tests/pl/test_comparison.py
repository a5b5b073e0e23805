import pytest
from matplotlib.colors import to_hex

import scpertbias as spb
from scpertbias.pl._comparison import LABELS
from scpertbias.tl._comparison import COMPARED


def test_every_score_that_is_compared_has_a_label():
    assert tuple(LABELS) == COMPARED


@pytest.mark.parametrize(("reference", "sign"), [("mean", -1), ("ridge", 1)])
def test_differences_are_those_of_the_table_whichever_is_the_reference(small_audit, reference, sign):
    ax = spb.pl.comparison(small_audit, reference, show=False)
    pair = spb.get.comparison(small_audit, models=["mean", "ridge"], regime="full", metric="l2_ratio").iloc[0]
    other = {"mean": "ridge", "ridge": "mean"}[reference]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert set(names) == {"no change", other}
    drawn = {round(line.get_ydata()[0]): line for line in ax.lines if len(line.get_xdata()) == 1}
    line = drawn[names.index(other)]
    assert line.get_xdata()[0] == pytest.approx(sign * pair["difference"])
    assert to_hex(line.get_markeredgecolor()).upper() == small_audit.uns["model_colors"][other]
    values = [drawn[y].get_xdata()[0] for y in sorted(drawn)]
    assert values == sorted(values, reverse=True), "the best comes first"
    assert all("n = 12" in text.get_text() for text in ax.texts)
    assert f"with {reference}" in ax.get_xlabel()


def test_regime_and_metric(small_audit):
    ax = spb.pl.comparison(small_audit, metric="discrimination", regime="no_mt", models="ridge", show=False)
    assert "no_mt" in ax.get_title()
    assert "discrimination" in ax.get_xlabel()
    assert len(ax.get_yticklabels()) == 1


def test_what_is_not_there(small_audit):
    with pytest.raises(KeyError, match="`against`: 'gears' not available"):
        spb.pl.comparison(small_audit, "gears")
    with pytest.raises(KeyError, match="`metric` is 'l2'"):
        spb.pl.comparison(small_audit, metric="l2")
    with pytest.raises(KeyError, match="`models`: 'gears' not available"):
        spb.pl.comparison(small_audit, models="gears")
