import numpy as np

import scpertbias as spb


def test_no_change():
    adata = spb.ds.simulate(800, 40, 6, rng=2)
    spb.tl.fit_no_change(adata)
    control = adata[adata.obs["perturbation"] == "non-targeting"].X.toarray().mean(axis=0, dtype=float)
    np.testing.assert_allclose(adata.layers["no_change"], np.tile(control, (800, 1)), rtol=0, atol=1e-6)
    assert spb.get.models(adata)["note"].item() == "same prediction for every unseen perturbation"
