import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

import scpertbias as spb
from scpertbias import _store
from scpertbias.pl._attribution_agreement import attribution_agreement


def table(**extra):
    rows = [
        ("ridge", "gears", "", 0.013, 0.02, 0.4, 0.6, 30),
        ("ridge", "bilinear", "", 0.612, 0.55, 0.001, 0.001, 12),
        ("ridge", "bilinear", "STAT1", -0.9, 0.9, 0.001, 0.001, 1),
        ("gears", "bilinear", "", -0.001, 0.03, 0.5, 0.5, 30),
        ("ridge", "mean_like", "", 0.45, 0.35, 0.001, 0.8, 30),
        ("gears", "mean_like", "", np.nan, np.nan, np.nan, np.nan, 0),
        ("bilinear", "mean_like", "", 0.2, 0.1, 0.001, 0.001, 30),
    ]
    columns = ["model_a", "model_b", "perturbation", "spearman", "overlap", "p", "p_specific", "n"]
    return pd.DataFrame(rows, columns=columns).assign(chance=0.017, **extra)


@pytest.fixture
def profiles():
    profiles = spb.pp.profiles(spb.ds.simulate(1500, 30, 8))
    check = pd.DataFrame({"model": ["ridge", "gears", "mean_like"], "flag": ["ok", "one_hot", "shared"], "detail": ""})
    _store.put(profiles, attribution_agreement=table(), attribution_check=check)
    return profiles


def written(ax):
    return {(round(t.get_position()[1]), round(t.get_position()[0]), t.get_text()) for t in ax.texts}


def test_numbers_and_words_stand_in_their_cells(profiles):
    ax = attribution_agreement(profiles, show=False)
    texts = written(ax)
    # in the order of the table: ridge, gears, bilinear, mean_like
    assert {(0, 1, "0.01"), (1, 0, "0.02"), (0, 2, "0.61"), (2, 0, "0.55"), (1, 2, "0.00")} <= texts
    assert {(0, 1, "by chance"), (0, 3, "unspecific"), (1, 3, "–"), (3, 1, "–")} <= texts
    assert not any(word and i > j for i, j, word in texts if word in {"by chance", "unspecific"})
    assert not {(0, 2, "by chance"), (0, 2, "unspecific")} & texts
    assert "-0.90" not in {text for *_, text in texts}  # one perturbation is not the mean
    image = ax.images[0].get_array()
    assert image[0, 2] == 0.612
    assert image[2, 0] == 0.55
    assert "chance: 0.02" in ax.get_xlabel()
    assert "0–30 perturbations" in ax.get_title()


def test_models_that_say_nothing_are_marked(profiles):
    ax = attribution_agreement(profiles, show=False)
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels == ["ridge", "gears\n(one-hot)", "bilinear", "mean like\n(shared)"]
    assert sorted({p.get_xy() for p in ax.patches if p.get_hatch()}) == [
        (-0.5, 0.5),
        (-0.5, 2.5),
        (0.5, -0.5),
        (2.5, -0.5),
    ]
    _store.put(profiles, attribution_check=None)
    plain = attribution_agreement(profiles, show=False)
    assert not plain.patches
    assert plain.get_yticklabels()[1].get_text() == "gears"


def test_some_models_in_a_given_order_and_color(profiles):
    ax = attribution_agreement(profiles, models=["bilinear", "ridge"], palette={"ridge": "#D55E00"}, show=False)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["bilinear", "ridge"]
    assert {(0, 1, "0.61"), (1, 0, "0.55")} <= written(ax)
    assert to_rgba(ax.get_xticklabels()[1].get_color()) == to_rgba("#D55E00")
    with pytest.raises(KeyError, match="'nobody'"):
        attribution_agreement(profiles, models="nobody")


def test_regimes(profiles):
    mdata = spb.pp.regimes(profiles, ["no_mt_ribo"])
    both = pd.concat([table(regime="full"), table(regime="no_mt").assign(spearman=0.77)])
    _store.put(mdata, attribution_agreement=both)
    assert (0, 2, "0.61") in written(attribution_agreement(mdata, show=False))
    assert (0, 2, "0.77") in written(attribution_agreement(mdata, regime="no_mt", show=False))
    with pytest.raises(KeyError, match=r"choose from \['full', 'no_mt'\]"):
        attribution_agreement(mdata, regime="other")
    with pytest.raises(ValueError, match="not from an audit"):
        attribution_agreement(profiles, regime="full")


def test_what_it_returns(profiles):
    assert isinstance(attribution_agreement(profiles, return_fig=True), Figure)
    _, ax = plt.subplots()
    assert attribution_agreement(profiles, ax=ax, show=False) is ax
    with pytest.raises(KeyError, match=r"spb\.tl\.attribution_agreement first"):
        attribution_agreement(spb.pp.profiles(spb.ds.simulate(1500, 30, 8)))
