"""A full disk, a killed process and Ctrl-C at any moment of writing leave the earlier audit whole.

One process makes an audit and forks a child for every moment: the child is stopped at its n-th change of the file
system. What is then on the disk must be the earlier audit or the new one; a kill between the two moves that change one for
the other leaves the earlier one whole beside its place.
"""

import json
import subprocess
import sys
import textwrap

import pandas as pd
import pytest

import scpertbias as spb

pytestmark = pytest.mark.slow

DRIVER = """
    import contextlib, io, json, os, resource, shutil, signal, sys, warnings
    from pathlib import Path

    warnings.simplefilter("ignore")
    import scanpy as sc

    sc.settings.verbosity = 0
    import scpertbias as spb
    from scpertbias._cli import main as cli
    from scpertbias._report import page as page_module
    from scpertbias._report import tables

    mode, root = "", Path(sys.argv[1])
    out = root / "out"
    adata = spb.ds.simulate(400, 30, 4, rng=1, keep_counts=False)
    mdata = spb.tl.audit(adata, models=(), regimes=("full",), covariates=())
    page = page_module.render(mdata)
    (root / "x.h5ad").touch()
    # What takes time and changes no file is done once.
    cli._audit_file = lambda args: mdata
    page_module.render = lambda *args, **kwargs: page
    cli._answer_lines = lambda *args, **kwargs: []
    # Two tables are as many moments as all of them.
    tables.read, every_table = lambda data: dict(list(every_table(data).items())[:2]), tables.read

    def contents(folder):
        return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    def reset():
        for path in root.iterdir():
            if path.name != "x.h5ad":
                shutil.rmtree(path)
        (out / "tables").mkdir(parents=True)
        for name in ("audit.html", "audit.json", "audit.h5mu", "tables/check.csv"):
            (out / name).write_text("earlier " + name)

    count, stop_at, stop_by = 0, 0, None
    CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree", "os.link")

    def hook(event, args):
        global count
        written = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
        if stop_by is None or not (event in CHANGES or written) or not str(args[0]).startswith(str(root)):
            return
        count += 1
        if count == stop_at:
            os.kill(os.getpid(), stop_by)

    sys.addaudithook(hook)

    def child(n):
        global stop_at, stop_by
        if mode == "full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (n, resource.RLIM_INFINITY))
        else:
            stop_at, stop_by = n, signal.SIGKILL if mode == "kill" else signal.SIGINT
        err = io.StringIO()
        with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
            code = cli.main(["audit", str(root / "x.h5ad"), "--out", str(out), "--force", "--quiet"])
        stop_by = None
        if mode == "full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        (root.parent / "said").write_text(err.getvalue())
        os._exit(code)

    def run(n):
        reset()
        (root.parent / "said").write_text("")
        pid = os.fork()
        if pid == 0:
            try:
                child(n)
            finally:
                os._exit(99)
        _, status = os.waitpid(pid, 0)
        aside = [] if out.exists() else list(root.glob("*.earlier"))
        found = contents(out) if out.exists() else contents(aside[0]) if aside else {}
        state = "none"
        if found == {f: ("earlier " + f).encode() for f in found} and len(found) == 4:
            state = "earlier, aside" if aside else "earlier"
        elif {"audit.html", "audit.json", "audit.h5mu"} <= set(found) and found["audit.html"].decode() == page:
            import mudata
            with mudata.set_options(pull_on_update=False) if hasattr(mudata, "set_options") else contextlib.nullcontext():
                state = "new" if mudata.read_h5mu(out / "audit.h5mu").mod and json.loads(found["audit.json"]) else "broken"
        return {
            "n": n,
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            "state": state,
            "beside": sorted(p.name for p in root.iterdir() if p.name not in ("out", "x.h5ad")),
            "said": (root.parent / "said").read_text(),
        }

    every = {}
    for mode in ("kill", "interrupt"):
        results = every[mode] = []
        while len(results) < 100 and (not results or results[-1]["code"] != 0):
            results.append(run(len(results) + 1))
    mode = "full"
    every[mode] = [run(n) for n in (0, 100, 3_000, 30_000, 10**9)]
    print(json.dumps(every))
"""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """What was on the disk after each moment: killed, interrupted, and with files that may not grow above n bytes."""
    root = tmp_path_factory.mktemp("faults") / "there"
    root.mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(DRIVER), str(root)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_killed_at_any_moment(stopped):
    *results, last = stopped["kill"]
    assert len(results) > 8
    for result in results:
        assert result["signal"] == 9
        assert result["state"] in ("earlier", "earlier, aside", "new"), result
    assert [result["state"] for result in results].count(
        "earlier, aside"
    ) == 1  # between two moves that follow each other
    assert (last["signal"], last["code"], last["state"], last["beside"]) == (0, 0, "new", [])


def test_interrupted_at_any_moment(stopped):
    *results, last = stopped["interrupt"]
    assert len(results) > 8
    for result in results:
        assert result["code"] == 130, result
        assert result["said"] == "scpertbias: interrupted; incomplete files were removed\n"
        assert result["state"] in ("earlier", "new"), result
        assert result["beside"] == [], result
    assert last["state"] == "new"


def test_a_full_disk(stopped):
    *results, last = stopped["full"]
    for result in results:
        assert (result["code"], result["state"], result["beside"]) == (1, "earlier", []), result
        assert "out cannot be written" in result["said"]
        assert result["said"].count("\n") == 1
    assert (last["code"], last["state"]) == (0, "new")


KILLED_WITH_A_CACHE = """
    import os, signal, sys, warnings
    warnings.simplefilter("ignore")
    import scpertbias as spb

    count = 0

    def hook(event, args):
        global count
        count += event == "os.rename" and str(args[1]).startswith(sys.argv[1])
        if count == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    adata = spb.ds.simulate(400, 30, 4, rng=1, keep_counts=False)
    sys.addaudithook(hook)
    spb.tl.audit(adata, models=("mean", "ridge"), covariates=(), n_random=0, cache=sys.argv[1])
"""


def test_a_killed_audit_goes_on_from_its_cache(tmp_path):
    """One part is whole, another was killed before it had its name, a third is cut short: the audit is the same."""
    cache = tmp_path / "cache"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED_WITH_A_CACHE), str(cache)], capture_output=True, check=False
    )
    assert done.returncode != 0
    assert (len(list(cache.glob("*.npz"))), len(list(cache.glob("*.part")))) == (1, 1), done.stderr[-2000:]
    adata = spb.ds.simulate(400, 30, 4, rng=1, keep_counts=False)
    given = {"models": ("mean", "ridge"), "covariates": (), "n_random": 0}
    without = spb.tl.audit(adata, **given)
    resumed = spb.tl.audit(adata, **given, cache=cache)
    for path in list(cache.glob("*.npz"))[::2]:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    repaired = spb.tl.audit(adata, **given, cache=cache)
    for made in (resumed, repaired):
        for read in (spb.get.scores, spb.get.summary, spb.get.retraining, spb.get.recurrence):
            pd.testing.assert_frame_equal(read(made), read(without))
        pd.testing.assert_frame_equal(spb.get.predictions(made, "ridge"), spb.get.predictions(without, "ridge"))
