import pytest

import scpertbias as spb
from scpertbias import _store
from scpertbias.get._confounding import confounding
from scpertbias.tl._confounding import confounding as ask


def test_table():
    profiles = spb.pp.pseudobulk(spb.ds.papalexi_2021(), strata="bio_rep")
    with pytest.raises(KeyError, match=r"spb\.tl\.confounding"):
        confounding(profiles)
    ask(profiles, n_boot=10, n_random=10)
    table = confounding(profiles)
    assert table["axis"].map(type).eq(str).all()
    table["share"] = 0.0
    assert not confounding(profiles)["share"].eq(0).all()
    assert len(table) == len(_store.table(profiles, "confounding", made_by=""))


def test_round_trip(tmp_path):
    import anndata

    profiles = spb.pp.pseudobulk(spb.ds.papalexi_2021(), strata="bio_rep")
    ask(profiles, n_boot=10, n_random=10)
    profiles.write_h5ad(tmp_path / "x.h5ad")
    again = confounding(anndata.read_h5ad(tmp_path / "x.h5ad"))
    assert again.equals(confounding(profiles))
