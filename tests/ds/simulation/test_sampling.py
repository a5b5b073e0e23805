import numpy as np
import pytest
from scipy import sparse, stats

from scpertbias.ds._simulation.sampling import CHUNK, Population, draw_cells


def counts_of(population, n_cells, *, n_jobs=1, seed=0, batch=None):
    group = np.zeros(n_cells, dtype=np.int64)
    batch = group if batch is None else batch
    members = [np.arange(population.rate.shape[1]) < 2]
    chunks = draw_cells(
        population, group, batch, members=members, seed=np.random.SeedSequence(seed), n_jobs=n_jobs
    )  # fmt: skip
    indptr = np.concatenate([[0], np.cumsum(np.concatenate([chunk.n_stored for chunk in chunks]))])
    indices = np.concatenate([chunk.indices for chunk in chunks])
    values = np.concatenate([chunk.counts for chunk in chunks])
    dense = sparse.csr_matrix((values, indices, indptr), shape=(n_cells, population.rate.shape[1])).toarray()
    np.testing.assert_array_equal(np.concatenate([chunk.totals for chunk in chunks]), dense.sum(axis=1))
    np.testing.assert_array_equal(
        np.concatenate([chunk.set_totals for chunk in chunks])[:, 0], dense[:, :2].sum(axis=1)
    )
    return dense


def plain(mean, size, **changes):
    mean = np.asarray(mean, dtype=float)
    values = {
        "rate": mean[None] / 100, "batch_factor": np.ones((1, len(mean))), "size": np.asarray(size, dtype=float),
        "axis": np.zeros(len(mean)), "cell_axis_sd": 0.0, "depth": 100.0, "depth_sd": 0.0,
    }  # fmt: skip
    return Population(**(values | changes))


def test_counts_follow_the_negative_binomial_distribution():
    mean, size = [0.05, 0.9, 4.0, 150.0, 2000.0], [0.3, 2.0, 0.7, 8.0, 30.0]
    n_cells = 20_000
    counts = counts_of(plain(mean, size), n_cells)
    for gene in range(len(mean)):
        law = stats.nbinom(size[gene], size[gene] / (size[gene] + mean[gene]))
        # Twenty classes of about equal probability under scipy's law, or as many as the counts allow.
        edges = np.unique(law.ppf(np.arange(1, 20) / 20))
        observed = np.bincount(np.searchsorted(edges, counts[:, gene]), minlength=len(edges) + 1)
        expected = n_cells * np.diff(np.concatenate([[0], law.cdf(edges), [1]]))
        keep = expected > 5
        assert (
            stats.chisquare(observed[keep], expected[keep] * observed[keep].sum() / expected[keep].sum()).pvalue > 1e-4
        )
        variance = mean[gene] + mean[gene] ** 2 / size[gene]
        assert counts[:, gene].mean() == pytest.approx(mean[gene], abs=5 * np.sqrt(variance / n_cells))
        assert counts[:, gene].var() == pytest.approx(variance, rel=0.25)


def test_genes_and_cells_are_independent_given_depth_and_place():
    counts = counts_of(plain([5.0, 5.0, 5.0], [1.0, 1.0, 1.0]), 20_000)
    correlation = np.corrcoef(counts.T)
    assert np.abs(correlation[np.triu_indices(3, 1)]).max() < 0.035
    assert abs(np.corrcoef(counts[:-1, 0], counts[1:, 0])[0, 1]) < 0.035


def test_depth_keeps_its_mean_and_the_axis_correlates_genes():
    wide = plain([50.0, 50.0, 50.0, 50.0], np.full(4, 30.0), depth_sd=0.5)
    totals = counts_of(wide, 20_000).sum(axis=1)
    assert totals.mean() == pytest.approx(200, rel=0.02)
    assert np.log(totals).std() == pytest.approx(0.5, rel=0.1)
    tilted = plain([50.0, 50.0, 50.0], np.full(3, 30.0), axis=np.array([1.0, -1.0, 0.0]), cell_axis_sd=0.3)
    correlation = np.corrcoef(counts_of(tilted, 20_000).T)
    assert correlation[0, 1] < -0.4
    assert abs(correlation[0, 2]) < 0.04


def test_batches_multiply_the_means():
    batch = np.arange(10_000) % 2
    batch_factor = np.array([[1.0, 1.0], [2.0, 0.5]])
    counts = counts_of(plain([10.0, 10.0], [10.0, 10.0], batch_factor=batch_factor), 10_000, batch=batch)
    means = np.array([counts[batch == s].mean(axis=0) for s in (0, 1)])
    np.testing.assert_allclose(means, [[10, 10], [20, 5]], rtol=0.05)


def test_threads_do_not_matter_and_seeds_do():
    population = plain([1.0, 5.0, 0.2], [1.0, 2.0, 3.0], depth_sd=0.3)
    n_cells = 3 * CHUNK + 17
    one = counts_of(population, n_cells, n_jobs=1)
    np.testing.assert_array_equal(one, counts_of(population, n_cells, n_jobs=3))
    assert (one != counts_of(population, n_cells, seed=1)).any()
    # No chunk repeats another.
    assert (one[:CHUNK] != one[CHUNK : 2 * CHUNK]).any()
