import numpy as np
import pandas as pd
import pytest
from scipy import stats

import scpertbias as spb
from scpertbias import _moments
from scpertbias._tables import columns
from scpertbias.get._attribution import attribution_agreement as get_agreement
from scpertbias.tl._attribution_agreement import attribution_agreement, attribution_agreement_table


@pytest.fixture(scope="module")
def fitted():
    profiles = spb.pp.profiles(spb.ds.simulate(2500, 80, 20))
    spb.tl.fit_mean(profiles)
    spb.tl.fit_ridge(profiles)
    spb.tl.fit_ridge(profiles, coding="reference", key_added="reference")
    names = profiles.obs["perturbation"].astype(str).tolist()
    one_hot = pd.DataFrame(0.0, index=profiles.var_names, columns=names)
    one_hot.iloc[3] = 1.0
    constant = pd.DataFrame(1.0, index=profiles.var_names, columns=names)
    values = np.random.default_rng(0).random((80, 15))
    part = pd.DataFrame(values, index=profiles.var_names, columns=names[1:16])
    for key, values in {"part": part, "one_hot": one_hot, "constant": constant}.items():
        predictions = spb.get.predictions(profiles, "ridge")
        spb.tl.add_predictions(profiles, predictions, key_added=key, attributions=values)
    attribution_agreement(profiles, n_perm=200)
    return profiles


def pair(profiles, a, b):
    table = get_agreement(profiles)
    return table[(table["model_a"] == a) & (table["model_b"] == b)].set_index("perturbation")


def test_the_table(fitted):
    table = get_agreement(fitted)
    assert list(table.columns) == columns("attribution_agreement")
    assert "mean" not in {*table["model_a"], *table["model_b"]}
    assert len(table[table["perturbation"] == ""]) == 10  # five models with attributions
    assert (table["chance"] == 20 / 80).all()


def test_every_perturbation_and_their_mean(fitted):
    rows = pair(fitted, "ridge", "reference")
    a, b = spb.get.attributions(fitted, "ridge"), spb.get.attributions(fitted, "reference")
    assert len(rows) == 21
    for name in rows.index[1:]:
        assert rows.loc[name, "spearman"] == pytest.approx(stats.spearmanr(a[name], b[name]).statistic)
        shared = set(a[name].nlargest(20).index) & set(b[name].nlargest(20).index)
        assert rows.loc[name, "overlap"] == pytest.approx(len(shared) / 20)
    mean, each = rows.loc[""], rows.iloc[1:]
    assert mean["n"] == 20
    assert (each["n"] == 1).all()
    assert mean["spearman"] == pytest.approx(each["spearman"].mean())
    assert mean["overlap"] == pytest.approx(each["overlap"].mean())
    assert mean["ci_low"] < mean["spearman"] < mean["ci_high"]
    width = 2 * 1.96 * each["spearman"].std(ddof=0) / np.sqrt(20)
    assert mean["ci_high"] - mean["ci_low"] == pytest.approx(width, rel=0.25)
    assert each["ci_low"].isna().all()
    assert mean["p"] == pytest.approx(1 / 201)
    assert mean["p_specific"] == pytest.approx(1 / 201)


def test_one_hot_stays_under_its_bound_and_constant_is_nan(fitted):
    each = pair(fitted, "ridge", "one_hot").iloc[1:]
    assert each["spearman"].abs().max() <= np.sqrt(3 / 81) + 1e-9
    constant = pair(fitted, "ridge", "constant")
    assert constant.index.tolist() == [""]
    assert constant.loc["", "n"] == 0
    assert constant[["spearman", "ci_low", "ci_high", "overlap", "p", "p_specific"]].isna().to_numpy().all()


def test_perturbations_that_one_model_has_no_attributions_for(fitted):
    known = spb.get.attributions(fitted, "part").notna().all()
    assert known.sum() == 15
    rows = pair(fitted, "ridge", "part")
    assert rows.loc["", "n"] == len(rows) - 1 == 15
    assert set(rows.index[1:]) == set(known.index[known])


def test_a_pair_does_not_depend_on_the_others(fitted):
    some = attribution_agreement(fitted, ["ridge", "part"], n_perm=200, copy=True)
    pd.testing.assert_frame_equal(pair(some, "ridge", "part"), pair(fitted, "ridge", "part"))


def test_cells_and_profiles_agree():
    cells = spb.ds.simulate(1500, 40, 10)
    profiles = spb.pp.profiles(cells)
    for data in (cells, profiles):
        spb.tl.fit_ridge(data)
        spb.tl.fit_ridge(data, coding="reference", key_added="other")
        attribution_agreement(data, n_perm=50)
    pd.testing.assert_frame_equal(get_agreement(cells), get_agreement(profiles), check_exact=False, atol=1e-6)


def test_the_pure_function_needs_no_stored_model(fitted):
    screen = _moments.of(fitted)
    values = np.random.default_rng(0).random((2, len(screen.names), 80))
    table = attribution_agreement_table(screen, dict(zip("ab", values, strict=True)), k=5, n_perm=50)
    assert table["perturbation"].tolist() == ["", *screen.names[1:]]
    assert attribution_agreement_table(screen, {"a": values[0]}).empty


def test_errors(fitted):
    with pytest.raises(ValueError, match=r"only \['ridge'\] have attributions, but a comparison needs two"):
        attribution_agreement(fitted, "ridge")
    with pytest.raises(ValueError, match="`k` is .*; it must be between 1 and the number of genes, 80"):
        attribution_agreement(fitted, k=81)
    with pytest.raises(KeyError, match="are not stored"):
        attribution_agreement(fitted, ["ridge", "nobody"])
