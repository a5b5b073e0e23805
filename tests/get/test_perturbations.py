import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _store
from scpertbias.get._perturbations import error_by_n_genes, perturbations, random_regimes, ranking

TABLES = {
    "perturbations": perturbations,
    "random_regimes": random_regimes,
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
