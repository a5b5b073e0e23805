import argparse
import time
import warnings

import pytest

import scpertbias as spb
from scpertbias import _compat, _store
from scpertbias._cli.notes import batch_columns, noted, sayer, tables_in_flags


def test_warnings_are_notes_also_before_an_error():
    lines = []

    def fail():
        with noted(lines.append):
            for _ in range(2):
                warnings.warn("pass batch_key='lane'", stacklevel=1)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert lines == ["note: pass --batch lane"]


def test_sentences_of_tables_name_flags(small_audit):
    audit = _compat.mudata(dict(small_audit.mod))
    _store.put(audit, **_store.root(small_audit))
    check = spb.get.check(audit).assign(detail="pass size_factors='total'", top_genes="batch_key=")
    stored = _store.root(audit)["audit"]
    _store.put(audit, check=check, audit={**stored, "notes": ["lot was adopted as batch_key"]})
    tables_in_flags(audit)
    table = spb.get.check(audit)
    assert set(table["detail"]) == {"pass --size-factors total"}
    assert set(table["top_genes"]) == {"batch_key="}, "names are not changed"
    assert _store.root(audit)["audit"]["notes"] == ["lot was adopted as --batch"]


def test_quiet(capsys):
    for quiet in (True, False):
        sayer(argparse.Namespace(quiet=quiet, start=time.perf_counter()))("a line")
    assert capsys.readouterr().err.count("a line") == 1


@pytest.mark.parametrize(
    ("columns", "expected"), [(None, "auto"), (["auto"], "auto"), (["none"], None), (["a", "b"], ["a", "b"])]
)
def test_batches(columns, expected):
    assert batch_columns(columns) == expected
