import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias.get._attribution import attribution_check as get_check
from scpertbias.tl._attribution_check import attribution_check, attribution_check_table, stored_attributions


def judged(values, genes=None):
    genes = np.array([f"G{i}" for i in range(values.shape[1])]) if genes is None else genes
    return attribution_check_table(genes, {"m": values}).iloc[0]


@pytest.fixture
def random():
    return np.random.default_rng(0).random((12, 1608))


def test_flags_in_their_order(random):
    assert judged(random)["flag"] == "ok"
    assert judged(np.zeros_like(random))["flag"] == "zero"
    assert judged(np.full_like(random, 0.3))["flag"] == "constant"
    assert judged(np.tile(random[0], (12, 1)))["flag"] == "shared"
    assert judged(np.outer(np.arange(1, 13), random[0]))["flag"] == "shared"


def test_one_hot_names_the_bound_of_the_paper(random):
    """The literal attribution of GEARS: 1 at one gene, the same for all perturbations (also shared: one_hot is first)."""
    literal = np.zeros_like(random)
    literal[:, 41] = 1.0
    row = judged(literal)
    assert row["flag"] == "one_hot"
    assert "√(3/(n+1)) = 0.0432 (n = 1,608 genes)" in row["detail"]
    assert "12 of 12 perturbations; at G41" in row["detail"]
    rest = np.random.default_rng(1).random(random.shape) * 1e-8
    noisy = judged(literal + rest)
    assert noisy["flag"] == "one_hot"
    assert "0.0432" not in noisy["detail"]  # there is no such bound where the rest can be ranked


def test_it_holds_in_more_than_half(random):
    random[:6] = 0
    row = judged(random)
    assert row["flag"] == "ok"
    assert "zero in 6 of 12" in row["detail"]
    random[6] = 0
    assert judged(random)["flag"] == "zero"
    random[7:] = np.nan
    assert "zero in 7 of 7" in judged(random)["detail"]
    assert judged(np.full((2, 3), np.nan)).tolist() == ["m", "zero", "no perturbation has attributions"]


@pytest.fixture
def profiles():
    profiles = spb.pp.profiles(spb.ds.simulate(1500, 60, 12))
    spb.tl.fit_mean(profiles)
    spb.tl.fit_ridge(profiles)
    names = profiles.obs["perturbation"].astype(str).tolist()
    one_hot = pd.DataFrame(0.0, index=profiles.var_names, columns=names)
    one_hot.iloc[3] = -2.0
    spb.tl.add_predictions(profiles, spb.get.predictions(profiles, "ridge"), key_added="gears", attributions=one_hot)
    return profiles


def test_stored_models(profiles):
    assert attribution_check(profiles) is None
    table = get_check(profiles)
    assert table[["model", "flag"]].to_numpy().tolist() == [["ridge", "ok"], ["gears", "one_hot"]]
    gene = profiles.var_names[3]
    assert f"at {gene}; " in table["detail"][1]
    only = attribution_check(profiles, "gears", copy=True)
    assert get_check(only)["model"].tolist() == ["gears"]
    assert len(get_check(profiles)) == 2


def test_the_control_is_no_perturbation(profiles):
    control = profiles.obs_names[profiles.obs["is_reference"]][0]
    found = stored_attributions(profiles, "ridge")["ridge"]
    assert control not in found.columns
    assert found.shape == (60, 12)


def test_errors(profiles):
    with pytest.raises(
        KeyError, match=r"\['mean'\] have no attributions; models with attributions are \['ridge', 'gears'\]"
    ):
        attribution_check(profiles, ["ridge", "mean"])
    only = spb.pp.profiles(spb.ds.simulate(1500, 60, 12))
    spb.tl.fit_mean(only)
    with pytest.raises(KeyError, match=r"None of the models \['mean'\] has attributions"):
        attribution_check(only)
    with pytest.raises(KeyError, match=r"spb\.tl\.attribution_check first"):
        get_check(only)
