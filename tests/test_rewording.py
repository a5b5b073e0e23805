"""Notes are for people: no table depends on their words."""

import re
import sys

import pandas as pd
import pytest

import scpertbias as spb

WRITERS = re.compile(r"scpertbias\.(_core|_models|tl)\b")
MARK = re.compile(r"<[\w.]+>")


def audited():
    cells = spb.ds.simulate(1500, 60, 8, rng=1)
    names = sorted(set(cells.obs["perturbation"]) - {"non-targeting"})
    spb.pp.split(cells, test=names[:3])
    profiles = spb.pp.profiles(cells, min_cells=100)
    spb.tl.fit_ridge(profiles)
    mdata = spb.tl.audit(
        cells,
        models=("no_change", "mean", "ridge", "grn_linear", "bilinear"),
        predictions={"theirs": spb.get.predictions(profiles, "ridge")},
        min_cells=100,
        n_random=2,
    )
    stored = mdata.uns["scpertbias"]
    return {name: value.astype(object) for name, value in stored.items() if isinstance(value, pd.DataFrame)}


@pytest.fixture
def reworded(monkeypatch):
    """Every sentence that is a constant of a module, in words of that module alone."""
    n = 0
    for name, module in list(sys.modules.items()):
        if WRITERS.match(name):
            for key, value in list(vars(module).items()):
                if key.isupper() and isinstance(value, str) and " " in value:
                    monkeypatch.setattr(module, key, f"<{name}>{value}")
                    n += 1
    return n


def plain(table):
    return table.map(lambda value: MARK.sub("", value) if isinstance(value, str) else value).astype(object)


@pytest.fixture(scope="module")
def before():
    return audited()


def test_no_table_depends_on_the_words_of_a_note(before, reworded):
    assert reworded > 10
    after = audited()
    n_reworded = sum(
        table.map(lambda value: bool(MARK.search(str(value)))).to_numpy().sum() for table in after.values()
    )
    assert n_reworded > 20
    assert before.keys() == after.keys()
    for name, table in after.items():
        pd.testing.assert_frame_equal(plain(table), before[name], obj=name)
