import numpy as np
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias._models._base import problem
from scpertbias._models._smoothing import check_words, same_for_unseen, smoothers


@pytest.fixture(scope="module")
def made():
    adata = spb.ds.simulate(800, 30, 6, rng=0)
    screen = _moments.of(adata)
    return problem(screen, screen.perturbation != 3)


def test_without_a_net(made):
    with pytest.raises(ValueError, match="`net` is missing"):
        smoothers(made, "genes", "normalized")


@pytest.mark.parametrize("words", [("gene", "normalized"), ("genes", "random")])
def test_words(words):
    with pytest.raises(ValueError, match="must be one of"):
        check_words(*words)


def test_the_note_rests_on_the_coefficients_of_the_unseen(made):
    coef = np.ones((7, 30))
    assert same_for_unseen(made, "perturbations", coef) == (False, "")
    coef[3] = 0
    constant, note = same_for_unseen(made, "perturbations", coef)
    assert constant
    assert "no edge of the net" in note
    assert same_for_unseen(made, "genes", np.ones((7, 30))) == (True, "same prediction for every unseen perturbation")
