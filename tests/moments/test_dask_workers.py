"""Two workers that could not hold the cells give the profiles of cells in memory, also when one of them dies."""

import os
import signal
import threading
import time
import warnings

import anndata as ad
import dask
import dask.array as da
import h5py
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

import scpertbias as spb
from scpertbias._moments import dask_workers

COVARIATES = ["pct_counts_mt", "pct_counts_ribo"]


@pytest.fixture(scope="module")
def cells():
    adata = spb.ds.simulate(3000, 60, 8, n_batches=2, rng=3)
    adata.obs["lot"] = np.random.default_rng(0).choice(["a", "b", "c"], adata.n_obs)
    return adata


@pytest.fixture(scope="module")
def expected(cells):
    return spb.pp.profiles(cells, batch_key="gem_group", covariates=COVARIATES)


LIMIT = 700_000_000
"""Bytes that a worker may take: less than the file, and twice what the libraries alone take."""


@pytest.fixture(scope="module")
def client():
    with warnings.catch_warnings(), dask.config.set({"distributed.admin.tick.limit": "60s"}):
        warnings.simplefilter("ignore")
        cluster = LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=LIMIT, dashboard_address=None)
        with cluster, Client(cluster) as client:
            yield client


def same(found, expected):
    np.testing.assert_allclose(found.X, expected.X, rtol=1e-9)
    assert set(found.varm) == set(expected.varm)
    for slot in ("layers", "varm", "obsm"):
        for key, values in getattr(expected, slot).items():
            np.testing.assert_allclose(getattr(found, slot)[key], values, rtol=1e-8, atol=1e-9, err_msg=key)


def lazy(cells, chunks):
    return ad.AnnData(da.from_array(cells.X.toarray(), chunks=chunks), obs=cells.obs, var=cells.var)


@pytest.mark.parametrize("chunks", [(500, -1), (-1, 11), (700, 30)])
def test_the_numbers_are_those_in_memory(client, cells, expected, chunks):
    assert dask_workers.has_client(lazy(cells, chunks).X)
    found = spb.pp.profiles(lazy(cells, chunks), batch_key="gem_group", covariates=COVARIATES, chunk_memory=3e-4)
    same(found, expected)


def test_levels_and_depth_of_raw_counts(client, cells, monkeypatch):
    """The depth of raw counts is known on the workers alone; columns that make many levels are summed apart."""
    monkeypatch.setattr("scpertbias._core.control_sums.MOST_GROUPS", 1)
    counts = ad.AnnData(cells.layers["counts"], obs=cells.obs, var=cells.var)
    expected = spb.pp.profiles(counts, batch_key="gem_group", normalize=True)
    assert {"control_by_level", "depth_slopes", "mt_percent_slopes"} <= set(expected.varm)
    for chunks in ((500, -1), (-1, 11)):
        there = ad.AnnData(da.from_array(counts.X.toarray(), chunks=chunks), obs=cells.obs, var=cells.var)
        found = spb.pp.profiles(there, batch_key="gem_group", normalize=True, chunk_memory=3e-4)
        same(found, expected)
        ours, theirs = (a.uns["scpertbias"]["profiles"] for a in (found, expected))
        for key in ("quality_control_mean", "quality_control_var", "levels_n_control"):
            np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-9, err_msg=key)


def test_cells_that_lie_on_the_cluster_are_read_there(client, cells, expected):
    there = lazy(cells, (400, -1))
    there.X = client.persist(there.X)
    found = spb.pp.profiles(there, batch_key="gem_group", covariates=COVARIATES, chunk_memory=3e-4)
    same(found, expected)


def test_moments_are_joined_some_groups_at_a_time(client, cells, expected, monkeypatch):
    monkeypatch.setattr(dask_workers, "SLAB", 10_000)
    found = spb.pp.profiles(lazy(cells, (500, -1)), batch_key="gem_group", covariates=COVARIATES, chunk_memory=3e-4)
    same(found, expected)


def test_a_partition_has_many_cells_for_each_group_but_no_more_than_a_share(client):
    assert dask_workers._cells_per_partition(100_000, 50) == 1000
    assert dask_workers._cells_per_partition(1001, 5000) == 501
    x = da.zeros((10, 4), chunks=(2, -1))
    assert [(rows, len(runs)) for rows, runs in dask_workers._partitions(x, 2, 5)] == [
        (slice(0, 4), 2),
        (slice(4, 8), 2),
        (slice(8, 10), 1),
    ]
    assert [len(run.read()) for _, runs in dask_workers._partitions(x, 4, 8) for run in runs] == [2, 2, 1]


def test_without_a_client_nothing_is_distributed(cells):
    assert not dask_workers.has_client(cells.X)


def test_blocks_are_grouped_until_they_are_worth_it():
    x = da.zeros((10, 4), chunks=((3, 3, 1, 3), -1))
    assert [rows for rows, _ in dask_workers._block_runs(x, 6)] == [slice(0, 6), slice(6, 10)]
    assert [len(blocks) for _, blocks in dask_workers._block_runs(x, 1)] == [1, 1, 1, 1]


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A file larger than what a worker may take."""
    path = tmp_path_factory.mktemp("large") / "large.h5ad"
    rng = np.random.default_rng(0)
    n_genes = 4000
    some = rng.gamma(1.0, 0.7, size=(1000, n_genes)).astype(np.float32)
    label = rng.choice(["control", *(f"G{i}" for i in range(6))], 45_000)
    obs = pd.DataFrame({"perturbation": label}, index=[f"c{i}" for i in range(len(label))])
    ad.AnnData(obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(n_genes)])).write_h5ad(path)
    with h5py.File(path, "r+") as file:
        x = file.create_dataset("X", (len(label), n_genes), np.float32)
        x.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        for start in range(0, len(label), 1000):
            x[start : start + 1000] = np.roll(some, start // 1000, axis=1)
    assert path.stat().st_size > LIMIT
    return path


@pytest.mark.slow
def test_a_worker_that_dies_changes_nothing(client, large):
    """The file does not fit into a worker, and one of the two is killed while it works."""
    expected = spb.pp.profiles(ad.read_h5ad(large, backed="r"), min_cells=5)
    pids = client.run(os.getpid)
    killed = []

    def kill():
        while not client.who_has():  # until something is done, and would be lost
            time.sleep(0.02)
        killed.append(next(iter(pids.values())))
        os.kill(killed[0], signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # read_lazy announces what it is
        cells = ad.experimental.read_lazy(large)
    found = spb.pp.profiles(cells, min_cells=5, chunk_memory=0.1)
    thread.join(10)
    assert killed
    assert killed[0] not in client.run(os.getpid).values()
    same(found, expected)
