import numpy as np
import pytest

from scpertbias._models.deep.scgpt.predict import choose_controls, control_variate, outputs


def test_controls_are_balanced_over_strata():
    rng = np.random.default_rng(0)
    stratum = rng.choice(3, 300, p=[0.6, 0.3, 0.1])
    chosen = choose_controls(stratum, 100)
    assert len(set(chosen.tolist())) == 100
    share = np.bincount(stratum[chosen], minlength=3)
    assert np.abs(share - 100 * np.bincount(stratum) / 300).max() < 1
    for s in range(3):
        assert set(chosen[stratum[chosen] == s]) == set(np.flatnonzero(stratum == s)[: share[s]])
    assert np.array_equal(choose_controls(stratum, 999), np.arange(300))
    assert len(choose_controls(stratum, 1)) == 1


def test_control_variate_by_brute_force():
    rng = np.random.default_rng(1)
    x = rng.normal(2, 1, (30, 4)).astype(np.float32)
    x[:, 3] = 0.0  # a gene that no chosen control expresses
    y = (0.8 * x + rng.normal(0, 0.1, x.shape)).astype(np.float32)
    mean = np.array([2.1, 1.9, 2.0, 0.3])
    average = control_variate(y, x, mean, 500)
    for g in range(3):
        (slope, level), residual, *_ = np.polyfit(x[:, g].astype(float), y[:, g].astype(float), 1, full=True)
        assert average.mean[g] == pytest.approx(level + slope * mean[g], abs=1e-6)
        assert average.error[g] == pytest.approx(np.sqrt(residual[0] / 28 / 30 * (1 - 30 / 500)), rel=1e-4)
    assert average.mean[3] == pytest.approx(y[:, 3].mean(dtype=float))


def test_control_variate_is_unbiased_more_exact_and_says_how_exact():
    """Over draws of controls: the mean is that of all of them, the error as stated, and below that of a plain mean."""
    rng = np.random.default_rng(2)
    x_all = rng.normal(0, 1, (2000, 1)).astype(np.float32)
    y_all = (x_all + 0.1 * x_all**2 + rng.normal(0, 0.3, x_all.shape)).astype(np.float32)
    estimates, plain, errors = [], [], []
    for _ in range(600):
        rows = rng.choice(2000, 100, replace=False)
        average = control_variate(y_all[rows], x_all[rows], x_all.mean(axis=0, dtype=float), 2000)
        estimates.append(average.mean[0])
        errors.append(average.error[0])
        plain.append(y_all[rows].mean(dtype=float))
    assert np.mean(estimates) == pytest.approx(y_all.mean(dtype=float), abs=3e-3)
    assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.1)
    assert np.std(estimates) < 0.5 * np.std(plain)


def test_all_controls_leave_nothing_to_estimate():
    y, x = np.random.default_rng(3).random((2, 40, 5)).astype(np.float32)
    average = control_variate(y, x, x.mean(axis=0, dtype=float), 40)
    np.testing.assert_allclose(average.mean, y.mean(axis=0, dtype=float), atol=1e-12)
    assert not average.error.any()


def test_few_controls_get_a_plain_mean():
    y, x = np.random.default_rng(4).random((2, 2, 5)).astype(np.float32)
    two, one = control_variate(y, x, np.ones(5), 40), control_variate(y[:1], x[:1], np.ones(5), 40)
    np.testing.assert_allclose(two.mean, y.mean(axis=0, dtype=float))
    np.testing.assert_allclose(two.error, y.std(axis=0, ddof=1, dtype=float) / np.sqrt(2) * np.sqrt(0.95), rtol=1e-6)
    assert np.isnan(one.error).all()


@pytest.mark.scgpt
@pytest.mark.parametrize("micro_batch", [1, 3, 100])
def test_outputs_are_the_packages_pred_perturb(scgpt, micro_batch):
    """The package's own prediction, from the batch that it asks for: (value, flag) of every gene."""
    import warnings

    import torch

    n, n_genes = scgpt.cells.shape
    flags = np.zeros_like(scgpt.cells)
    flags[:, 1] = 1
    pairs = torch.tensor(np.stack([scgpt.cells.ravel(), flags.ravel()], axis=1))
    batch = Batch(pairs, ["G1"] * n)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # autocast's old name; nested tensors in the fast path
        theirs = scgpt.model.pred_perturb(batch, "all", gene_ids=scgpt.tokens.genes, amp=False)
    ours = outputs(scgpt.model, scgpt.tokens, 1, scgpt.cells, micro_batch=micro_batch)
    assert ours.shape == (n, n_genes)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


class Batch:
    def __init__(self, x, pert):
        self.x, self.pert = x, pert

    def to(self, device):
        self.x = self.x.to(device)
