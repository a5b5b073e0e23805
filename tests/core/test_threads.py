import os
import subprocess
import sys
import textwrap
import threading

import joblib
import numpy as np
import pytest
from scipy import sparse

from scpertbias._core import threads
from scpertbias._core.accumulators import GroupSums
from scpertbias._core.halves import assign_halves
from scpertbias._core.pooling import pool
from scpertbias._core.ranking import top_mask
from scpertbias._core.residuals import products, residuals
from scpertbias._core.sums import column_sums, extremes, row_sums, set_sums, spread


@pytest.mark.parametrize("n", [0, 1, 2, 7, 1000])
@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_every_position_comes_once(several_threads, n, n_threads):
    several_threads(n_threads)
    visits, runners = np.zeros(n), set()

    def loop(start, stop, visits):
        visits[start:stop] += 1
        runners.add(threading.get_ident())

    threads.run(loop, n, visits, n_values=n)
    assert (visits == 1).all()
    assert len(runners) <= n_threads
    if min(n, n_threads) <= 1:
        assert runners == {threading.get_ident()}


def test_several_threads_work_at_once(several_threads):
    several_threads(3)
    meeting = threading.Barrier(3, timeout=30)  # broken, unless three threads come to it at once
    threads.run(lambda *_: meeting.wait(), 3, n_values=3)


def test_the_current_thread_does_the_rest_where_no_other_can_be_started(several_threads, monkeypatch):
    several_threads(4)

    def start(self):
        msg = "can't start new thread"
        raise RuntimeError(msg)

    monkeypatch.setattr(threading.Thread, "start", start)
    visits = np.zeros(20)

    def loop(start, stop):
        visits[start:stop] += 1

    threads.run(loop, 20, n_values=20)
    assert (visits == 1).all()


RNG = np.random.default_rng(0)
X = RNG.poisson(1.0, (61, 17)).astype(np.float32)
ROW, BATCH = RNG.integers(-1, 5, 61), RNG.integers(2, size=61)
WEIGHTS, COVARIATES, SLOPES = RNG.normal(size=(61, 3)), RNG.normal(size=(61, 3)), RNG.normal(size=(3, 17))
HASHES = RNG.integers(2**60, size=61).astype(np.uint64)
MEMBERS = RNG.random((4, 17)) < 0.3


def sums_of_groups():
    sums = GroupSums.empty(5, 17)
    sums.add(X, ROW)
    return sums


LOOPS = {
    "top genes": lambda: [top_mask(X.astype(float), 4)],
    "halves": lambda: [assign_halves(ROW, 5, 0, HASHES, batch=BATCH, n_batches=2).group],
    "pooled rows": lambda: [
        values
        for rows in pool(sums_of_groups(), [(np.array([0, 1, 1, -1, 0]), 2)])
        for values in (rows.half, rows.mean, rows.var)
    ],
    "sums of cells": lambda: [row_sums(sparse.csr_array(X)), column_sums(sparse.csc_array(X))],
    "sums over sets": lambda: [set_sums(sparse.csr_array(X), MEMBERS)],
    "extremes": lambda: [np.array(extremes(X))],
    "rows of cells": lambda: [spread(SLOPES, BATCH)],
    **{
        f"weighted sums, {form.__name__}": lambda form=form: [products(form(X), WEIGHTS)]
        for form in (np.asarray, sparse.csr_array, sparse.csc_array)
    },
    **{
        f"residuals, {form.__name__}": lambda form=form: [residuals(form(X), COVARIATES, SLOPES)]
        for form in (np.asarray, sparse.csr_array)
    },
}


@pytest.mark.parametrize("name", LOOPS)
def test_every_loop_is_the_same_on_several_threads(several_threads, name):
    one, *others = [(several_threads(n_threads), LOOPS[name]())[1] for n_threads in (1, 2, 5)]
    for other in others:
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_few_values_need_no_other_thread():
    runners = []
    threads.run(lambda *_: runners.append(threading.get_ident()), 100, n_values=threads.FEW - 1)
    assert runners == [threading.get_ident()]


def test_an_error_is_raised(several_threads):
    several_threads(2)

    def loop(start, stop):
        if stop == 10:
            raise MemoryError

    with pytest.raises(MemoryError):
        threads.run(loop, 10, n_values=10)


def test_processors_variable_and_limits(monkeypatch):
    monkeypatch.delenv(threads.VARIABLE, raising=False)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 8)
    assert threads.number_of_processors() == 8
    for value, n_threads in (("", 8), ("many", 8), ("0", 1), ("9", 8), ("6", 6)):
        monkeypatch.setenv(threads.VARIABLE, value)
        assert threads.number_of_processors() == n_threads
    with threads.at_most(3):
        assert threads.number_of_processors() == 3
        with threads.at_most(4):
            assert threads.number_of_processors() == 3
        with pytest.raises(ZeroDivisionError), threads.at_most(0):
            1 / (threads.number_of_processors() - 1)
        with threads.at_most(None):
            assert threads.number_of_processors() == 3
        assert threads.number_of_processors() == 3
        others = []
        other = threading.Thread(target=lambda: others.append(threads.number_of_processors()))
        other.start()
        other.join()
        assert others == [6], "a limit is that of one thread"
    assert threads.number_of_processors() == 6


@pytest.mark.slow
def test_several_threads_and_a_fork_where_numba_has_no_openmp():
    """As on a Mac, where loops that numba itself runs in parallel abort the process if two run at once."""
    code = """
        import os
        from concurrent.futures import ThreadPoolExecutor
        import numpy as np
        from scpertbias._core import threads
        from scpertbias._core.ranking import top_mask

        threads.FEW, threads.number_of_processors = 0, lambda: 2
        x = np.random.default_rng(0).normal(size=(500, 500))
        with ThreadPoolExecutor(4) as pool:
            print({int(marked.sum()) for marked in pool.map(lambda _: top_mask(x, 9), range(40))})
        child = os.fork()
        if child == 0:
            os._exit(int(top_mask(x, 9).sum() != 4500))
        print(os.waitpid(child, 0)[1])
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        env={**os.environ, "NUMBA_THREADING_LAYER": "workqueue"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "{4500}\n0\n"), done.stderr[-1000:]
