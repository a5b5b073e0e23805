import numpy as np
import pandas as pd
import pytest

import scpertbias as spb


@pytest.fixture
def adata():
    return spb.ds.simulate(800, 40, 6, rng=0)


def test_a_net_without_edges_warns(adata, monkeypatch):
    empty = pd.DataFrame({"source": [], "target": [], "weight": []}, dtype=object)
    monkeypatch.setattr("scpertbias._models._fit.coexpression_net", lambda *_, **__: empty)
    with pytest.warns(UserWarning, match="no edge"):
        spb.tl.fit_grn_linear(adata)
    spb.tl.fit_ridge(adata)
    np.testing.assert_allclose(adata.layers["grn_linear"], adata.layers["ridge"], atol=1e-6)


def test_refitting_replaces(adata):
    spb.tl.fit_ridge(adata, key_added="m")
    assert "m" in adata.varm
    spb.tl.fit_mean(adata, key_added="m")
    assert "m" not in adata.varm
    assert spb.get.models(adata)["kind"].tolist() == ["mean"]


def test_nothing_is_half_written(adata):
    before = adata.copy()
    net = pd.DataFrame({"source": ["nobody"], "target": ["knows"]})
    with pytest.raises(ValueError, match="none of its 1 edges"):
        spb.tl.fit_grn_linear(adata, net)
    assert not adata.layers.keys() ^ before.layers.keys()
    assert adata.uns.keys() == before.uns.keys()


def test_parameters_that_are_tables_are_named(adata):
    names = sorted(set(adata.obs["perturbation"]) - {"non-targeting"})
    embedding = pd.DataFrame(np.random.default_rng(0).normal(size=(len(names), 2)), index=names)
    spb.tl.fit_bilinear(adata, n_components=2, perturbation_embedding=embedding)
    spb.tl.fit_ridge(adata)
    records = adata.uns["scpertbias"]["models"]
    assert list(records["bilinear"]["tables"]) == ["perturbation_embedding"]
    assert records["bilinear"]["params"]["perturbation_embedding"] == "6 × 2 table"
    assert not len(records["ridge"]["tables"])
    assert [bool(records[name]["constant"]) for name in ("bilinear", "ridge")] == [False, True]


def test_what_was_asked_is_remembered(adata):
    adata.layers["lognorm"] = adata.X.copy()
    spb.tl.fit_mean(adata, layer="lognorm", reference="non-targeting", min_cells=10, batch_key="gem_group")
    data = adata.uns["scpertbias"]["models"]["mean"]["data"]
    assert data["layer"] == "lognorm"
    assert data["reference_name"] == "non-targeting"
    assert data["min_cells"] == 10
    assert list(data["batch_key"]) == ["gem_group"]
