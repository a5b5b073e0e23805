"""Whatever a reader stumbles over becomes one error that names the file."""

import shutil
import tokenize
import zlib

import numpy as np
import pandas as pd
import pytest

from scpertbias import _files
from scpertbias._files import objection, one_line, read_predicted, reading, replace_file, whole_folder


def test_one_line():
    assert one_line(KeyError("no 'x'")) == "no 'x'"
    assert one_line(ValueError("a\n  b")) == "a b"
    assert one_line(KeyError("low")) == "KeyError: low"


@pytest.mark.parametrize(
    "error", [zlib.error("x y"), tokenize.TokenError("a", (1, 2)), MemoryError(), AssertionError(), KeyError("k")]
)
def test_any_error_of_a_reader(error, tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"x\.csv cannot be read; the file may be incomplete") as caught, reading(path):
        raise error
    assert caught.value.__cause__ is error


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"x\.csv does not exist"), reading(tmp_path / "x.csv"):
        pass


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_the_user_may_stop_it(stop, tmp_path):
    with pytest.raises(stop), reading(tmp_path):
        raise stop


def filled(folder):
    (folder / "tables").mkdir(parents=True)
    for name in ("audit.html", "audit.json", "audit.h5mu", "tables/check.csv"):
        (folder / name).write_text("earlier")
    return folder


def test_folder_appears_whole(tmp_path):
    out = tmp_path / "deep" / "out"
    with whole_folder(out) as folder:
        (folder / "audit.html").write_text("page")
        assert not out.exists()
        assert folder.parent == out.parent
    assert [p.name for p in out.iterdir()] == ["audit.html"]
    assert list(out.parent.iterdir()) == [out]


def test_folder_replaces_the_earlier_one(tmp_path):
    out = filled(tmp_path / "out")
    with whole_folder(out) as folder:
        (folder / "audit.html").write_text("page")
    assert [p.name for p in out.iterdir()] == ["audit.html"]
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_failure_leaves_the_earlier_folder(tmp_path, failure):
    out = filled(tmp_path / "out")

    def fail():
        with whole_folder(out) as folder:
            (folder / "audit.html").write_text("half")
            raise failure

    with pytest.raises(failure):
        fail()
    assert (out / "audit.html").read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
def test_failure_of_the_last_step_brings_the_earlier_folder_back(tmp_path, monkeypatch, failure):
    out = filled(tmp_path / "out")
    move = type(out).replace

    def broken(self, target):
        if target == out and (self / "new").exists():
            raise failure
        return move(self, target)

    monkeypatch.setattr(type(out), "replace", broken)

    def fail():
        with whole_folder(out) as folder:
            (folder / "new").write_text("")

    with pytest.raises(failure):
        fail()
    assert (out / "audit.html").read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [out]


def test_removal_is_finished_before_the_interrupt(tmp_path, monkeypatch):
    out, remove, calls = filled(tmp_path / "out"), shutil.rmtree, []

    def interrupted(path, **given):
        calls.append(path)
        if len(calls) == 1:
            raise KeyboardInterrupt
        remove(path, **given)

    monkeypatch.setattr(_files.shutil, "rmtree", interrupted)

    def run():
        with whole_folder(out) as folder:
            (folder / "audit.html").write_text("new")

    with pytest.raises(KeyboardInterrupt):
        run()
    assert (out / "audit.html").read_text() == "new"
    assert list(tmp_path.iterdir()) == [out]


def test_objections(tmp_path):
    assert objection(tmp_path / "none", force=False) is None
    assert objection(tmp_path, force=False) is None
    out = filled(tmp_path / "out")
    assert "is not empty" in objection(out, force=False)
    assert objection(out, force=True) is None
    assert "is a file" in objection(out / "audit.html", force=True)


@pytest.mark.parametrize("foreign", ["thesis.docx", "tables/notes.txt", "tables/deep/x.csv", "audit.html/x"])
def test_force_never_replaces_what_is_no_audit(tmp_path, foreign):
    out = filled(tmp_path / "out")
    (out / "audit.html").unlink()
    (out / foreign).parent.mkdir(exist_ok=True, parents=True)
    (out / foreign).write_text("mine")
    assert "do not belong to an audit" in objection(out, force=True)


def test_file_is_replaced_whole(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("earlier")
    with pytest.raises(UnicodeEncodeError):
        replace_file(path, "half \ud800")
    assert path.read_text() == "earlier"
    replace_file(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["p.csv", "p.tsv", "p.txt", "p.csv.gz", "P.TSV.GZ"])
def test_tables_of_predictions_are_exact_and_name_genes_once(name, tmp_path):
    table = pd.DataFrame([[0.1 + 0.2, np.nan]], index=["A"], columns=["G1", "G2"])
    sep = "," if ".csv" in name else "\t"
    table.to_csv(tmp_path / name, sep=sep, compression="gzip" if name.lower().endswith("gz") else None)
    pd.testing.assert_frame_equal(read_predicted(tmp_path / name), table, check_exact=True)
    table.columns = ["G1", "G1"]
    table.to_csv(tmp_path / "twice.csv")
    with pytest.raises(ValueError, match=r"repeat in twice.csv \(G1\)"):
        read_predicted(tmp_path / "twice.csv")
