import numpy as np
import pandas as pd
import pytest

import scpertbias as spb


def test_a_file_and_its_cells_are_the_same(tmp_path):
    adata = spb.ds.papalexi_2021()
    before = adata.copy()
    adata.write_h5ad(tmp_path / "x.h5ad")
    in_memory = spb.pp.inspect(adata)
    of_file = spb.pp.inspect(str(tmp_path / "x.h5ad"))
    about = ["values", "genes", "obs", "labels", "left out", "note"]
    pd.testing.assert_frame_equal(
        *(rows[rows["about"].isin(about)].reset_index(drop=True) for rows in (in_memory, of_file))
    )
    assert of_file["about"].iloc[-1] == "command"
    pd.testing.assert_frame_equal(adata.obs, before.obs)


def test_other_things_are_refused():
    with pytest.raises(TypeError, match="an AnnData is expected"):
        spb.pp.inspect(np.ones((2, 2)))
