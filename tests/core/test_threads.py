import os
import subprocess
import sys
import textwrap
import threading

import joblib
import numpy as np
import pytest

from scpertbias._core import threads


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
    assert threads.number_of_threads() == 8
    for value, n_threads in (("", 8), ("many", 8), ("0", 1), ("9", 8), ("6", 6)):
        monkeypatch.setenv(threads.VARIABLE, value)
        assert threads.number_of_threads() == n_threads
    with threads.at_most(3):
        assert threads.number_of_threads() == 3
        with threads.at_most(4):
            assert threads.number_of_threads() == 3
        with pytest.raises(KeyError), threads.at_most(0):
            raise {1: KeyError}[threads.number_of_threads()]
        assert threads.number_of_threads() == 3
        others = []
        other = threading.Thread(target=lambda: others.append(threads.number_of_threads()))
        other.start()
        other.join()
        assert others == [6], "a limit is that of one thread"
    assert threads.number_of_threads() == 6


@pytest.mark.slow
def test_several_threads_and_a_fork_where_numba_has_no_openmp():
    """As on a Mac: loops that numba itself runs in parallel abort the process there."""
    code = """
        import os
        from concurrent.futures import ThreadPoolExecutor
        import numpy as np
        from scpertbias._core import threads
        from scpertbias._core.ranking import top_mask

        threads.FEW, threads.number_of_threads = 0, lambda: 2
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
