import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias.pp._regimes import plan_regimes
from scpertbias.tl._audit.cross_fit import cross_fit_all, make_folds, variants
from scpertbias.tl._audit.fits import Layout, rows_of_folds
from scpertbias.tl._audit.regimes import all_regimes
from scpertbias.tl._audit.settings import AuditSettings


@pytest.fixture(scope="module")
def screens():
    profiles = spb.pp.profiles(spb.ds.simulate(1500, 60, 9, rng=0))
    return all_regimes(profiles, plan_regimes(profiles, None, fit_on="control"), fit_on="control")[1]


def test_before_any_fit_only_the_control_is_known(screens):
    layout = Layout.of(screens["no_mt"], screens["full"])
    table = layout.before_any_fit()
    np.testing.assert_array_equal(table[0], screens["full"].moments.control[layout.genes])
    assert np.isnan(table[1:]).all()


def test_every_perturbation_is_in_one_fold(screens):
    folds = make_folds(screens["full"], 3, rng=0)
    rows = rows_of_folds(screens["full"].names, folds)
    assert list(rows) == ["0", "1", "2"]
    np.testing.assert_array_equal(np.sum(list(rows.values()), axis=0), [0] + [1] * 9)


@pytest.mark.parametrize("keep", [True, False])
def test_without_genes_separate_fits_are_what_a_fit_would_be(screens, keep):
    """Against an audit whose only regime is the one without genes, so that nothing can be a slice."""
    names = screens["full"].names[1:]
    net = pd.DataFrame({"source": names, "target": np.roll(names, 1)})
    folds, models = make_folds(screens["full"], 3, rng=0), variants(["mean", "ridge", "grn_linear"], {})
    settings = AuditSettings(keep_predictions=keep)
    fits = cross_fit_all(screens, models, folds, net, settings)["no_mt"]
    alone = cross_fit_all({"full": screens["no_mt"]}, models, folds, net, settings)["full"]
    assert list(fits.solutions) == list(alone.solutions)
    for name, solution in alone.solutions.items():
        np.testing.assert_allclose(fits.solutions[name].predictions, solution.predictions, atol=1e-12)
        np.testing.assert_allclose(fits.solutions[name].noise_weights, solution.noise_weights, atol=1e-12)
        assert fits.solutions[name].note == solution.note
        if keep:
            np.testing.assert_allclose(fits.in_sample[name], alone.in_sample[name], atol=1e-12)
