import hashlib
import platform
from importlib.metadata import version

import pytest

import scpertbias._store as _store
from scpertbias._report.provenance import Checksum, provenance, remarks, title_of, versions


def test_versions_are_those_that_run():
    found = versions()
    assert found["python"] == platform.python_version()
    assert all(found[name] == version(name) for name in ("scpertbias", "numpy", "anndata", "mudata"))


def test_checksum(tmp_path, monkeypatch):
    monkeypatch.setattr("scpertbias._report.provenance.AT_ONCE", 1 << 12)
    (tmp_path / "x").write_bytes(b"abc" * 10_000)
    assert Checksum(tmp_path / "x").value() == hashlib.sha256(b"abc" * 10_000).hexdigest()
    assert Checksum(tmp_path).value() is None


def test_a_file_that_cannot_be_read_is_an_error_of_the_caller(tmp_path, monkeypatch):
    (tmp_path / "x").write_bytes(b"abc")

    def refuse(self, *arguments, **options):
        raise PermissionError(13, "not yours")

    monkeypatch.setattr(type(tmp_path), "open", refuse)
    with pytest.raises(PermissionError, match="not yours"):
        Checksum(tmp_path / "x").value()


def test_a_priority_that_cannot_be_set_is_no_error(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(1, "not here")

    monkeypatch.setattr("os.setpriority", refuse)
    (tmp_path / "x").write_bytes(b"abc")
    assert Checksum(tmp_path / "x").value() == hashlib.sha256(b"abc").hexdigest()


def test_audit_made_in_python(audit):
    found = provenance(audit)
    assert found["versions_of"] == "this page"
    assert found["command"] is None
    assert found["seed"] == 0
    assert found["n_cells"] == 1500
    assert found["genes"] == {name: a.n_vars for name, a in audit.mod.items()}
    assert found["parameters"]["reference"] == ["non-targeting"]
    assert found["parameters"]["n_top_genes"] == 1000
    assert found["parameters"]["target_sum"] is None, "nothing was normalized"
    assert remarks(audit) == ([], [])
    assert title_of(audit) is None


def test_what_the_command_line_stored(audit):
    record = {"command": "scpertbias audit x", "versions": {"numpy": "9"}, "warnings": ["careful"], "title": "T"}
    _store.put(audit, report=record)
    found = provenance(audit)
    assert found["versions"] == {"numpy": "9"}
    assert found["versions_of"] == "the audit"
    assert found["command"] == "scpertbias audit x"
    assert remarks(audit)[1] == ["careful"]
    assert title_of(audit) == "T"
