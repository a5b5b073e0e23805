import threading
import time
from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
import scanpy as sc

from scpertbias._core import threads
from scpertbias.tl._audit.jobs import (
    Cache,
    Job,
    _order_of_results,
    _share_of_processors,
    digest,
    in_threads,
    number_of_workers,
    run,
)


def square(number, calls=None):
    if calls is not None:
        calls.append(number)
    if number < 0:
        msg = f"{number} is negative"
        raise ValueError(msg)
    return {"square": np.array([number**2]), "note": np.array("a/b ü")}


def square_jobs(numbers, calls=None):
    return [Job(("square", str(n)), lambda n=n: square(n, calls), [n]) for n in numbers]


def values(results):
    return {key: r if isinstance(r, str) else r["square"].item() for key, r in results}


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_every_job_has_its_result_or_its_reason(n_jobs):
    results = values(run(square_jobs([1, 2, -3]), n_jobs=n_jobs, cache=None))
    assert results == {("square", "1"): 1, ("square", "2"): 4, ("square", "-3"): "-3 is negative"}


def test_another_error_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        list(run([Job(("x",), lambda: 1 / 0)], n_jobs=1, cache=None))


def test_the_backend_is_the_users():
    work = [Job((str(n),), partial(dict, square=np.array([n]))) for n in (2, 3)]  # processes know this, not this file
    with joblib.parallel_config("loky", n_jobs=2):
        assert sorted(values(run(work, n_jobs=None, cache=None)).values()) == [2, 3]
    assert _order_of_results() == "generator_unordered"
    with joblib.parallel_config("multiprocessing", n_jobs=2):
        assert _order_of_results() == "list"


def test_what_is_done_is_not_done_again(tmp_path):
    calls = []
    first = values(run(square_jobs([1, 2, -3], calls), n_jobs=1, cache=Cache(tmp_path / "new" / "folder")))
    again = list(run(square_jobs([1, 2, 5, -3], calls), n_jobs=1, cache=Cache(tmp_path / "new" / "folder")))
    assert calls == [1, 2, -3, 5, -3]  # a reason is not kept: the data may be mended
    assert values(again).items() >= first.items()
    assert dict(again)[("square", "2")]["note"] == "a/b ü"


def test_an_interrupted_run_goes_on(tmp_path):
    calls = []

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run([*square_jobs([1, 2], calls), Job(("stop",), stop)], n_jobs=1, cache=Cache(tmp_path)))
    list(run(square_jobs([1, 2, 3], calls), n_jobs=1, cache=Cache(tmp_path)))
    assert calls == [1, 2, 3]
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped"])
def test_a_file_that_is_damaged_is_made_again(tmp_path, damage):
    calls = []
    list(run(square_jobs([7], calls), n_jobs=1, cache=Cache(tmp_path)))
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    at = whole.index(np.array([49]).tobytes())
    file.write_bytes(
        {"cut": whole[: len(whole) // 2], "empty": b"", "flipped": whole[:at] + b"\1" + whole[at + 1 :]}[damage]
    )
    assert values(run(square_jobs([7], calls), n_jobs=1, cache=Cache(tmp_path))) == {("square", "7"): 49}
    assert calls == [7, 7]
    assert file.read_bytes() == whole


def test_other_inputs_are_another_job(tmp_path):
    cache = Cache(tmp_path)
    table = pd.DataFrame({"a": ["x", "y"], "b": [1.0, 2.0]})
    inputs = [
        1,
        1.5,
        "1",
        None,
        [1, 2],
        {"a": 1},
        np.arange(3),
        np.arange(3.0),
        table,
        table.assign(b=[1.0, 3.0]),
        table["a"],
    ]
    names = [cache.file_name(Job(("p",), square, i)) for i in inputs]
    assert len(set(names)) == len(names)
    assert cache.file_name(Job(("q",), square, 1)) not in names
    built = pd.DataFrame({"a": ["".join(["x"]), "".join(["y"])], "b": [1.0, 2.0]})  # other text objects, the same text
    assert digest(built) == digest(table)
    assert digest(table.astype({"a": "string"})) == digest(table) == digest(table.astype({"a": "category"}))


def test_what_jobs_share_is_prepared_only_for_those_that_are_missing(tmp_path):
    prepared = []
    work = [Job((str(n),), partial(square, n), n, lambda n=n: prepared.append(n)) for n in (1, 2)]
    list(run(work[:1], n_jobs=1, cache=Cache(tmp_path)))
    list(run(work, n_jobs=1, cache=Cache(tmp_path)))
    assert prepared == [1, 2]


def test_jobs_are_asked_for_as_workers_get_free():
    taken = []

    def some():
        for job in square_jobs(range(50)):
            taken.append(job.key)
            yield job

    results = run(some(), n_jobs=1, cache=None)
    next(results)
    assert len(taken) < 10
    assert len(list(results)) == 49


def test_the_number_of_jobs():
    sc.settings.n_jobs = 3
    assert number_of_workers(None) == 3
    assert number_of_workers(2) == 2
    with joblib.parallel_config("threading", n_jobs=5):
        assert number_of_workers(None) is None
        assert number_of_workers(2) == 2


def test_a_cache_is_a_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="`cache`.*is a file"):
        Cache(tmp_path / "file")


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_calls_in_threads_keep_their_order_and_are_made_as_threads_get_free(n_jobs):
    n_made, n_done, threads = [0], [0], set()

    def call(number):
        threads.add(threading.get_ident())
        time.sleep(0.01 if number % 2 else 0.0)
        n_done[0] += 1
        return number

    def calls():
        for number in range(12):
            assert n_made[0] - n_done[0] <= 2 * n_jobs
            n_made[0] += 1
            yield partial(call, number)

    assert in_threads(calls(), n_jobs=n_jobs) == list(range(12))
    assert len(threads) == n_jobs


@pytest.mark.parametrize(("n_jobs", "share"), [(1, 8), (2, 4), (3, 2), (20, 1)])
def test_jobs_on_threads_share_the_processors(monkeypatch, n_jobs, share):
    monkeypatch.delenv(threads.VARIABLE, raising=False)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 8)
    assert in_threads([threads.number_of_processors] * 4, n_jobs=n_jobs) == [share] * 4
    jobs = [Job((str(i),), lambda: {"n": np.array(threads.number_of_processors())}) for i in range(4)]
    assert [int(arrays["n"]) for _, arrays in run(jobs, n_jobs=n_jobs, cache=None)] == [share] * 4
    assert threads.number_of_processors() == 8


def test_jobs_in_other_processes_have_no_share_here():
    with joblib.parallel_config("loky"):
        assert _share_of_processors(2) is None
