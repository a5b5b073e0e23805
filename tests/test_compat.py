import ctypes
from contextlib import nullcontext
from types import SimpleNamespace

import mudata as md
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from scpertbias import _compat


@pytest.fixture
def modalities():
    obs = pd.DataFrame({"n": [1, 2, 3]}, index=list("abc"))
    full = AnnData(np.eye(3), obs=obs.copy(), var=pd.DataFrame(index=["x", "y", "z"]))
    return {"full": full, "no_mt": full[:, :2].copy()}


def test_rows_are_shared_and_genes_overlap(modalities):
    mdata = _compat.mudata(modalities)
    assert list(mdata.mod) == ["full", "no_mt"]
    assert mdata["full"].obs_names.equals(mdata["no_mt"].obs_names)
    assert mdata["no_mt"].var_names.tolist() == ["x", "y"]


def test_columns_stay_with_their_modality(modalities):
    mdata = _compat.mudata(modalities)
    assert list(mdata["full"].obs.columns) == ["n"]
    assert list(mdata["full"].var.columns) == []


def test_round_trip(modalities, tmp_path):
    mdata = _compat.mudata(modalities)
    mdata["full"].layers["ridge"] = np.full((3, 3), np.nan)
    mdata.uns["scpertbias"] = {"a": 1}
    path = str(tmp_path / "audit.h5mu")
    _compat.write_h5mu(mdata, path)
    back = _compat.read_h5mu(path)
    assert back.axis == -1
    assert back.uns["scpertbias"]["a"] == 1
    np.testing.assert_array_equal(back["full"].layers["ridge"], mdata["full"].layers["ridge"])
    pd.testing.assert_frame_equal(back["no_mt"].obs, mdata["no_mt"].obs)


@pytest.mark.parametrize("version", ["0.3.3", "0.4.0"])
def test_the_users_option_is_as_before(modalities, monkeypatch, version):
    entered = []
    monkeypatch.setattr(md, "__version__", version)

    def watched(**options):
        entered.append(options)
        return nullcontext()

    monkeypatch.setattr(md, "set_options", watched, raising=False)  # 0.4 has none
    if version == "0.4.0" and not md.__version__.startswith("0.4"):
        pytest.fail("the version was not replaced")
    with _compat._no_pull():
        pass
    assert entered == ([{"pull_on_update": False}] if version == "0.3.3" else [])


@pytest.mark.parametrize(("system", "calls"), [("linux", [0]), ("darwin", []), ("win32", [])])
def test_memory_is_released_where_the_library_keeps_it(monkeypatch, system, calls):
    released = []
    monkeypatch.setattr(_compat.sys, "platform", system)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(malloc_trim=released.append))
    _compat.release_memory()
    assert released == calls
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace())  # as with musl
    _compat.release_memory()
    assert released == calls
