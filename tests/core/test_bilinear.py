"""The bilinear model against predictions of the R original, and against its objective."""

import csv
from pathlib import Path

import numpy as np
import pytest

from scpertbias._core.bilinear import bilinear

GOLD = Path(__file__).parent.parent / "data" / "gold"


def _read(name):
    """Row names, column names and values of a csv table."""
    with (GOLD / name).open(newline="") as file:
        header, *rows = list(csv.reader(file))
    return [row[0] for row in rows], header[1:], [row[1:] for row in rows]


def _papalexi():
    levels, genes, values = _read("papalexi_profiles.csv")
    split_levels, _, split = _read("papalexi_split.csv")
    part = {level: row[0] for level, row in zip(split_levels, split, strict=True)}
    trained = np.array([part[level] == "train" for level in levels])
    column = np.array([genes.index(level) if level in genes else -1 for level in levels])
    return levels, np.array(values, dtype=float), trained, levels.index("ctrl"), column


def _screen(rng, n_levels=12, n_genes=20):
    means = rng.normal(size=(n_levels, n_genes)) + rng.uniform(0, 3, n_genes)
    trained = np.ones(n_levels, dtype=bool)
    trained[[3, 8]] = False
    column = rng.permutation(n_genes)[:n_levels]
    column[[0, 5, 8]] = -1
    return means, trained, column


def _explicit(means, trained, reference, genes, levels, alpha):
    """The algebra of the R original, genes in rows, with explicit inverses."""
    matched = trained & np.isfinite(levels).all(axis=1)
    change = (means[matched] - means[reference]).T
    center = change.mean(axis=1, keepdims=True)
    p = levels[matched].T
    core = np.linalg.inv(genes.T @ genes + alpha * np.eye(genes.shape[1])) @ genes.T @ (change - center) @ p.T
    core = core @ np.linalg.inv(p @ p.T + alpha * np.eye(p.shape[0]))
    return (genes @ core @ levels.T + center).T + means[reference], core, change - center, p


@pytest.mark.parametrize("k", [4, 10])
def test_predictions_of_the_r_original(k):
    levels, means, trained, reference, column = _papalexi()
    names, _, values = _read(f"papalexi_ae_K{k}.csv")
    means = np.where(trained[:, None], means, np.nan)
    result = bilinear(means, trained, reference, column, n_components=k, alpha=0.1)
    rows = [levels.index(name) for name in names]
    np.testing.assert_allclose(result.predictions[rows], np.array(values, dtype=float), rtol=0, atol=1e-8)
    predicted = {level for level, row in zip(levels, result.predictions, strict=True) if np.isfinite(row).all()}
    assert predicted == set(names)
    others = np.setdiff1d(np.arange(len(levels)), rows)
    assert np.isnan(result.predictions[others]).all()
    assert np.isnan(result.coef[others]).all()


def test_components_are_those_of_all_training_rows_measured_or_not():
    rng = np.random.default_rng(0)
    means, trained, column = _screen(rng)
    table = (means[trained] - means[trained].mean(axis=1, keepdims=True)).T
    left, size, _ = np.linalg.svd(table, full_matrices=False)
    genes = (left * size)[:, :4]
    levels = np.where((column >= 0)[:, None], genes[column], np.nan)
    levels[0] = 0
    expected, *_ = _explicit(means, trained, 0, genes, levels, 0.1)
    result = bilinear(means, trained, 0, column, n_components=4, alpha=0.1)
    np.testing.assert_allclose(result.predictions, expected, atol=1e-11)
    assert np.isnan(result.predictions[[5, 8]]).all()
    assert np.isfinite(result.predictions[3]).all()
    assert (result.coef[0] == 0).all()
    shift = result.predictions - result.coef
    np.testing.assert_allclose(shift[[1, 2, 3]], shift[[0, 0, 0]], atol=1e-13)


def test_given_embeddings_replace_the_components_each_on_its_own_side():
    rng = np.random.default_rng(1)
    means, trained, column = _screen(rng)
    genes, levels = rng.normal(size=(20, 5)), rng.normal(size=(12, 3))
    levels[[4, 9]] = np.nan
    expected, core, change, p = _explicit(means, trained, 0, genes, levels, 0.3)
    result = bilinear(
        means, trained, 0, column, n_components=99, alpha=0.3, gene_embedding=genes, perturbation_embedding=levels
    )
    np.testing.assert_allclose(result.predictions, expected, atol=1e-11)
    # the objective that the closed form minimizes
    gradient = genes.T @ (genes @ core @ p - change) @ p.T + 0.3 * (
        core @ p @ p.T + genes.T @ genes @ core + 0.3 * core
    )
    assert np.abs(gradient).max() < 1e-10

    without_control = levels.copy()
    without_control[0] = np.nan
    zero_control = levels.copy()
    zero_control[0] = 0
    arguments = {"alpha": 0.3, "gene_embedding": genes}
    absent = bilinear(means, trained, 0, column, perturbation_embedding=without_control, **arguments)
    zero = bilinear(means, trained, 0, column, perturbation_embedding=zero_control, **arguments)
    np.testing.assert_array_equal(absent.predictions, zero.predictions)

    # as in the original, a gene embedding alone leaves the perturbations to the components of the training means
    table = (means[trained] - means[trained].mean(axis=1, keepdims=True)).T
    left, size, _ = np.linalg.svd(table, full_matrices=False)
    targets = np.where((column >= 0)[:, None], (left * size)[column, :4], np.nan)
    targets[0] = 0
    expected, *_ = _explicit(means, trained, 0, genes, targets, 0.3)
    result = bilinear(means, trained, 0, column, n_components=4, alpha=0.3, gene_embedding=genes)
    np.testing.assert_allclose(result.predictions, expected, atol=1e-11)


def test_a_gene_without_embedding_takes_no_part_and_gets_the_mean_change():
    rng = np.random.default_rng(2)
    means, trained, column = _screen(rng)
    genes, levels = rng.normal(size=(20, 5)), rng.normal(size=(12, 3))
    genes[7] = np.nan
    others = np.delete(np.arange(20), 7)
    result = bilinear(means, trained, 0, column, gene_embedding=genes, perturbation_embedding=levels)
    alone = bilinear(means[:, others], trained, 0, column, gene_embedding=genes[others], perturbation_embedding=levels)
    np.testing.assert_allclose(result.predictions[:, others], alone.predictions, atol=1e-12)
    np.testing.assert_allclose(result.predictions[:, 7], means[trained, 7].mean(), atol=1e-12)
    assert (result.coef[:, 7] == 0).all()


def test_meaningless_input_is_an_error():
    rng = np.random.default_rng(3)
    means, trained, column = _screen(rng)
    with pytest.raises(ValueError, match=r"n_components=11 is not possible .* from 1 to 10"):
        bilinear(means, trained, 0, column, n_components=11)
    assert np.isfinite(bilinear(means, trained, 0, column, n_components=10).predictions[1]).all()
    with pytest.raises(ValueError, match=r"n_components=6 is not possible .* from 1 to 5"):
        bilinear(means[:, :6], trained, 0, np.minimum(column, 5), n_components=6)
    with pytest.raises(ValueError, match="`trained` leaves out the control"):
        bilinear(means, trained, 3, column, n_components=2)
    with pytest.raises(ValueError, match="`alpha` is -1.*; it must be 0 or more"):
        bilinear(means, trained, 0, column, n_components=2, alpha=-1)
    with pytest.raises(ValueError, match="No training perturbation has an embedding"):
        bilinear(means, trained, 0, np.full(12, -1), n_components=2)
    with pytest.raises(ValueError, match="`alpha` is too small"):
        bilinear(means, trained, 0, column, n_components=10, alpha=0)
