import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _store
from scpertbias.get._retraining import coupling, models_left_out, random_removals, ranking, regimes_left_out
from scpertbias.get._scores import error_by_n_genes
from scpertbias.get._screen import perturbations


def test_reads_its_table():
    mdata = spb.pp.regimes(spb.pp.profiles(spb.ds.simulate(1500, 30, 8)), ["no_mt_ribo"])
    with pytest.raises(KeyError, match=r"spb\.tl\.coupling first"):
        coupling(mdata)
    _store.put(mdata, coupling=pd.DataFrame({"model": ["ridge"], "shift": [0.0]}))
    assert coupling(mdata).to_numpy().tolist() == [["ridge", 0.0]]


@pytest.fixture(scope="module")
def profiles():
    return spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")


def test_regimes_that_could_not_be_made(profiles):
    table = regimes_left_out(spb.tl.audit(profiles, models=("mean",), n_random=0))
    assert table["regime"].tolist() == ["no_mt_ribo", "regressed"]
    assert "no ribosomal gene" in table["reason"][0]
    assert not any(isinstance(dtype, pd.CategoricalDtype) for dtype in table.dtypes)


def test_regimes_without_an_audit(profiles):
    assert "no_mt_ribo" in set(regimes_left_out(spb.pp.regimes(profiles))["regime"])
    assert regimes_left_out(spb.pp.regimes(profiles, ["no_mt"])).empty


def test_models_that_could_not_be_fitted(profiles):
    table = models_left_out(spb.tl.audit(profiles, models=("mean", "grn_linear"), n_random=0))
    assert list(table.columns) == ["model", "regime", "reason"]
    assert set(table["model"]) == {"grn_linear", "grn_linear_perturbations"}
    assert set(table["regime"]) == {"full", "no_mt"}
    assert table["reason"].str.contains("no net").all()


def test_none_left_out(profiles):
    table = models_left_out(spb.tl.audit(profiles, models=("mean",), n_random=0))
    assert table.empty
    assert list(table.columns) == ["model", "regime", "reason"]


@pytest.mark.parametrize("read", [models_left_out, regimes_left_out])
def test_of_what_is_no_audit(profiles, read):
    with pytest.raises(KeyError, match=r"spb\.tl\.audit first"):
        read(profiles)


TABLES = {
    "perturbations": perturbations,
    "random_removals": random_removals,
    "ranking": ranking,
    "error_by_n_genes": error_by_n_genes,
}


@pytest.mark.parametrize("name", TABLES)
def test_reads_what_is_stored_as_text(name):
    adata = spb.ds.papalexi_2021()
    with pytest.raises(KeyError, match="spb.tl.audit"):
        TABLES[name](adata)
    _store.put(adata, **{name: pd.DataFrame({"note": ["a", None]})})
    assert TABLES[name](adata)["note"].tolist() == ["a", ""]
