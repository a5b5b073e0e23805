import pytest

import scpertbias as spb
from scpertbias.get._specificity import specificity
from scpertbias.tl._specificity import specificity as ask


def test_table():
    adata = spb.ds.papalexi_2021()
    spb.pp.split(adata, fractions=(0.5, 0.1, 0.4))
    profiles = spb.pp.pseudobulk(adata, strata="bio_rep")
    spb.tl.fit_mean(profiles)
    with pytest.raises(KeyError, match=r"spb\.tl\.specificity"):
        specificity(profiles)
    ask(profiles, n_boot=10, n_perm=10)
    table = specificity(profiles)
    assert table["model"].unique().tolist() == ["observed", "mean"]
    assert table["note"].map(type).eq(str).all()
