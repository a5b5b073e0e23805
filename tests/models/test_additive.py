import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scpertbias as spb

LABELS = ["control", "a", "b", "c", "new", "a+b", "a+b+c", "b+new", "a+c"]


@pytest.fixture(scope="module")
def profiles():
    rng = np.random.default_rng(0)
    label = np.repeat(LABELS, 25)
    obs = pd.DataFrame({"perturbation": label}, index=[f"c{i}" for i in range(len(label))])
    obs["split"] = np.where(np.isin(label, ["new", "a+b", "a+b+c", "b+new"]), "test", "train")
    x = rng.uniform(0.1, 3, (len(label), 5))
    adata = spb.pp.profiles(ad.AnnData(x, obs=obs, var=pd.DataFrame(index=list("vwxyz"))))
    spb.tl.fit_additive(adata)
    return adata


def mean(profiles, name):
    return profiles.X[(profiles.obs["perturbation"] == name).to_numpy()][0]


def test_effects_add_up(profiles):
    found, c = spb.get.predictions(profiles, "additive"), mean(profiles, "control")
    a, b, g = (mean(profiles, n) - c for n in "abc")
    np.testing.assert_allclose(found.loc["a+b"], c + a + b, atol=1e-12)
    np.testing.assert_allclose(found.loc["a+b+c"], c + a + b + g, atol=1e-12)
    # a combination that was trained on is still the sum of its parts
    np.testing.assert_allclose(found.loc["a+c"], c + a + g, atol=1e-12)
    np.testing.assert_allclose(found.loc["a"], mean(profiles, "a"), atol=1e-12)
    np.testing.assert_allclose(found.loc["control"], c, atol=1e-12)


def test_an_unseen_part_cannot_be_predicted(profiles):
    assert set(profiles.uns["scpertbias"]["models"]["additive"]["unpredicted"]) == {"new", "b+new"}
    assert spb.get.models(profiles)["n_unpredicted"].item() == 2
