import anndata
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _store
from scpertbias.get._screen import confounding, target_response
from scpertbias.tl._confounding import confounding as ask
from scpertbias.tl._target_response import target_response as ask_target_response


def test_table():
    profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    with pytest.raises(KeyError, match=r"spb\.tl\.confounding"):
        confounding(profiles)
    ask(profiles, n_random=10)
    table = confounding(profiles)
    assert table["axis"].map(type).eq(str).all()
    table["share"] = 0.0
    assert not confounding(profiles)["share"].eq(0).all()
    assert len(table) == len(_store.table(profiles, "confounding", made_by=""))


def test_round_trip(tmp_path):
    import anndata

    profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    ask(profiles, n_random=10)
    profiles.write_h5ad(tmp_path / "x.h5ad")
    again = confounding(anndata.read_h5ad(tmp_path / "x.h5ad"))
    assert again.equals(confounding(profiles))


def test_table_comes_back(tmp_path):
    adata = spb.ds.papalexi_2021()
    spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    with pytest.raises(KeyError, match=r"Run spb.tl.target_response first"):
        target_response(profiles)
    spb.tl.fit_mean(profiles)
    ask_target_response(profiles)
    table = target_response(profiles)
    assert "mean" in set(table["model"])
    assert not any(isinstance(kind, pd.CategoricalDtype) for kind in table.dtypes)
    profiles.write_h5ad(tmp_path / "profiles.h5ad")
    pd.testing.assert_frame_equal(target_response(anndata.read_h5ad(tmp_path / "profiles.h5ad")), table)
