"""What models are judged by: training axes, the data and shared draws."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from scpertbias._core.moments import Moments
from scpertbias._moments.screen import Screen
from scpertbias.tl._compared import common
from scpertbias.tl._specificity_scores import OFF_SHARE, SKILLS, make_scorer

P, G = 30, 25


@pytest.fixture
def screen():
    rng = np.random.default_rng(0)
    true = np.vstack(
        [np.zeros(G), rng.gamma(2, 0.5, (P, 1)) * np.linspace(-1, 1, G) + 0.2 * rng.standard_normal((P, G))]
    )
    half = 3 + true + 0.1 * rng.standard_normal((2, P + 1, G))
    moments = Moments(
        counts=np.full((2, P + 1, 1), 25.0),
        mean=half.mean(axis=0),
        var=np.ones((P + 1, G)),
        half=half,
        control_half=half[:, :1],
        control_var=np.ones((1, G)),
        blocks=0.1 * rng.standard_normal((8, G)),
        n_blocks=np.ones((8, 1)),
        reference=0,
    )
    names = ("control", *(f"P{i:02d}" for i in range(P)))
    genes = pd.Index([f"G{g:02d}" for g in range(G)])
    split = np.array(["train"] * 21 + ["test"] * 10)
    reason = np.full(P + 1, "")
    return Screen(
        moments=moments,
        names=names,
        targets=((), *((n,) for n in names[1:])),
        perturbation=np.arange(P + 1),
        split=split,
        genes=genes,
        symbols=genes.to_numpy(str),
        used=np.arange(P + 1) != 5,
        reason=reason,
        codes=np.arange(P + 1),
        record={},
    )


def stage_of(screen, folds, table):
    held = common(screen, {"model": table}, folds)
    return make_scorer(screen, held, G, 20, np.random.default_rng(0))


def test_axes_are_those_of_the_training_perturbations(screen):
    folds = {name: i % 3 for i, name in enumerate(screen.names[1:])}
    made = stage_of(screen, folds, screen.moments.mean)
    m, fold = screen.moments, np.array([-1, *folds.values()])
    assert made.rows.tolist() == [i for i in range(1, P + 1) if i != 5]
    for i, row in enumerate(made.rows):
        train = (np.arange(P + 1) > 0) & (np.arange(P + 1) != 5) & (fold != fold[row])
        for a in (0, 1):
            expected = m.half[a, train].mean(axis=0) - m.half[a, 0]
            assert_allclose(made.data.axes[a, made.data.fit[i]], expected)
        assert_allclose(made.data.mean[i], m.mean[train].mean(axis=0))
    assert_allclose(made.data.noise.sum(axis=1), G / 50)  # the training mean has the same noise of the control
    assert (made.data.truth.groups == fold[made.rows]).all()


def test_one_split_trains_on_its_training_rows(screen):
    table = np.where((screen.split == "test")[:, None], screen.moments.mean, np.nan)
    made = stage_of(screen, None, table)
    assert made.rows.tolist() == list(range(21, 31))
    train = np.r_[1:5, 6:21]
    assert_allclose(made.data.axes[1, 0], screen.moments.half[1, train].mean(axis=0) - screen.moments.half[1, 0])
    assert np.unique(made.data.truth.groups).size == 1


def test_rows_of_the_table(screen):
    table = np.where((screen.split == "test")[:, None], screen.moments.mean, np.nan)
    made = stage_of(screen, None, table)
    rows = pd.DataFrame(made.model_rows("model", table, known_constant=False)).set_index("metric")
    assert rows.loc["l2", "score"] == pytest.approx(0, abs=1e-9)  # it predicts what is observed
    assert rows.loc["l2", "ceiling"] == pytest.approx(np.sqrt(G / 50))
    assert (rows.drop([OFF_SHARE, *SKILLS.values()])["specific_gain"] > 0).all()
    assert rows.loc["specific_skill", "score"] > 1  # it fits the noise too
    observed = pd.DataFrame(made.observed_rows()).set_index("metric")
    assert rows.loc[OFF_SHARE, "ceiling"] == observed.loc[OFF_SHARE, "score"]
    constant = pd.DataFrame(made.model_rows("model", table, known_constant=True)).set_index("metric")
    assert np.isfinite(constant["score"]).all()
