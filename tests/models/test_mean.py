import numpy as np
import pytest

import scpertbias as spb


@pytest.fixture(scope="module")
def profiles():
    adata = spb.ds.simulate(1000, 40, 8, rng=2)
    spb.pp.split(adata)
    return spb.pp.profiles(adata)


def test_unweighted_mean_of_the_training_centroids_without_control(profiles):
    adata = spb.tl.fit_mean(profiles, copy=True)
    train = adata[(adata.obs["split"] == "train") & ~adata.obs["is_reference"]]
    assert train.obs["n_cells"].nunique() > 1
    expected = sum(train.X) / len(train)
    found = spb.get.predictions(adata, "mean")
    np.testing.assert_allclose(found.iloc[1:], np.tile(expected, (len(found) - 1, 1)), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found.iloc[0], adata.X[adata.obs["is_reference"].to_numpy()][0])
