"""Profiles carry the moments of their cells, to files and back."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from scpertbias import _moments
from scpertbias._core.moments import standardize
from scpertbias._core.z_scores import value_sums
from scpertbias._moments import profiles as stored_profiles

ARRAYS = ("n", "mean", "var", "half", "n_half", "blocks", "n_blocks")


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(["NT_1", "NT_2", "A", "B", "A/x", "few"], [50, 50, 40, 40, 30, 1]))
    obs = pd.DataFrame(
        {"gene": labels, "batch": rng.choice(["x", "y"], 211), "c1": rng.normal(size=211), "c2": rng.normal(size=211)},
        index=[f"cell{i}" for i in range(211)],
    )
    obs["fold"] = np.where(obs["gene"] == "A", np.where(np.arange(211) % 2, "train", "test"), "train")
    var = pd.DataFrame({"mt": [True, False, False, False]}, index=["A", "B", "C", "D"])
    return ad.AnnData(rng.gamma(1.0, size=(211, 4)), obs=obs, var=var)


@pytest.fixture
def screen(cells):
    return _moments.of(
        cells, groupby="gene", batch_key="batch", min_cells=10, split_key="fold", covariates=["c1", "c2"]
    )


@pytest.fixture
def profiles(screen, cells):
    return stored_profiles.write(screen, cells.var)


def again(adata, path, form):
    if form == "h5ad":
        adata.write_h5ad(path / "x.h5ad")
        return ad.read_h5ad(path / "x.h5ad")
    if form == "zarr":
        adata.write_zarr(path / "x.zarr")
        return ad.read_zarr(path / "x.zarr")
    return adata.copy()


def check(found, expected, arrays=ARRAYS):
    for name in arrays:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


@pytest.mark.parametrize("form", ["memory", "h5ad", "zarr"])
def test_profiles_read_back_give_the_same_moments(profiles, screen, tmp_path, form):
    back = _moments.of(again(profiles, tmp_path, form), split_key="fold")
    check(back.moments, screen.moments)
    check(back.moments.covariates, screen.moments.covariates, ("mean", "half", "blocks", "ss", "cross"))
    assert back.names == screen.names == ("NT", "A", "A/x", "B", "few")
    assert back.targets == screen.targets
    assert back.moments.reference == screen.moments.reference
    for name in ("perturbation", "split", "symbols", "used", "reason"):
        np.testing.assert_array_equal(getattr(back, name), getattr(screen, name), err_msg=name)
    assert back.codes.tolist() == screen.perturbation.tolist()
    assert back.genes.tolist() == screen.genes.tolist()
    assert not [key for key in screen.record if key not in back.record]


def test_what_is_written(profiles, screen):
    assert profiles.obs_names.tolist() == ["NT_train", "A_train", "A_test", "A/x_train", "B_train", "few_train"]
    obs = profiles.obs
    assert obs["perturbation"].tolist() == ["NT", "A", "A", "A/x", "B", "few"]
    assert obs["split"].tolist() == ["train", "train", "test", "train", "train", "train"]
    assert obs["n_cells"].tolist() == screen.moments.n.tolist()
    assert obs["is_reference"].tolist() == [True] + [False] * 5
    assert obs["n_targets"].tolist() == [0, 1, 1, 1, 1, 1]
    assert obs["target_measured"].tolist() == [False, True, True, False, True, False]
    assert obs["used"].tolist() == [True] * 5 + [False]
    assert obs["reason"].tolist() == [""] * 5 + ["1 cells, fewer than min_cells=10"]
    assert set(filter(None, profiles.layers)) == {"half_1", "half_2", "var", "cross_1", "cross_2"}
    assert profiles.varm["control_blocks"].shape == (4, 20)
    assert profiles.var["mt"].tolist() == [True, False, False, False]
    np.testing.assert_array_equal(profiles.X, screen.moments.mean)


def test_names_are_perturbations_where_none_repeats(cells):
    screen = _moments.of(cells, groupby="gene", batch_key="batch")
    assert stored_profiles.write(screen, cells.var).obs_names.tolist() == ["NT", "A", "A/x", "B", "few"]


def test_genes_may_be_chosen(profiles, screen):
    keep = [2, 0]
    back = _moments.of(profiles[:, keep].copy(), split_key="fold")
    check(back.moments, screen.moments.genes(np.array(keep)))
    np.testing.assert_array_equal(back.moments.covariates.cross, screen.moments.covariates.cross[:, :, keep])


@pytest.mark.parametrize("rows", [[0, 1, 2], [4, 0, 1], [5, 4, 3, 2, 1, 0]])
def test_perturbations_may_be_chosen_and_ordered(profiles, screen, rows):
    back = _moments.of(profiles[rows].copy(), split_key="fold")
    for name in ("n", "mean", "var"):
        np.testing.assert_array_equal(getattr(back.moments, name), getattr(screen.moments, name)[rows], err_msg=name)
    np.testing.assert_array_equal(back.moments.half, screen.moments.half[:, rows])
    np.testing.assert_array_equal(back.moments.n_half, screen.moments.n_half[:, rows])
    np.testing.assert_array_equal(back.moments.control, screen.moments.control)
    names = np.array(screen.names)[screen.perturbation][rows]
    assert np.array(back.names)[back.perturbation].tolist() == names.tolist()


def test_the_control_must_stay(profiles):
    with pytest.raises(ValueError, match="The control 'NT' is missing in these profiles. Keep its row"):
        _moments.of(profiles[1:].copy())


def test_concatenated_profiles_are_refused(profiles):
    joined = ad.concat([profiles, profiles], index_unique="-")
    with pytest.raises(ValueError, match=r"layer 'half_1', as profiles do, .*ad.concat"):
        _moments.of(joined)
    joined = ad.concat([profiles, profiles], index_unique="-", uns_merge="same", merge="same")
    with pytest.raises(
        ValueError, match=r"the control 'NT' 2 times, as after ad.concat of profiles. Concatenate the cells"
    ):
        _moments.of(joined)


@pytest.mark.parametrize("slot", ["half_1", "half_2", "var"])
def test_lost_moments(profiles, slot):
    del profiles.layers[slot]
    with pytest.raises(ValueError, match="are incomplete .*Compute them again"):
        _moments.of(profiles)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"groupby": "gene"},
        {"batch_key": "batch"},
        {"batch_key": ["batch"]},
        {"min_cells": 10},
        {"reference": "NT"},
        {"reference": "NT_*"},
        {"reference": ["NT_1", "NT_2"]},
        {"reference": "NT_1"},
        {"split_key": "fold"},
    ],
)
@pytest.mark.parametrize("form", ["memory", "h5ad"])
def test_what_profiles_remember_may_be_said_again(profiles, tmp_path, asked, form):
    _moments.of(again(profiles, tmp_path, form), **asked)


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        ({"groupby": "guide"}, "'gene'"),
        ({"batch_key": "donor"}, r"\['batch'\]"),
        ({"batch_key": ["batch", "donor"]}, r"\['batch'\]"),
        ({"min_cells": 50}, "10"),
        ({"reference": "ctrl"}, r"\['NT_1', 'NT_2'\]"),
        ({"gene_symbols": "name"}, "None"),
    ],
)
@pytest.mark.parametrize("form", ["memory", "h5ad"])
def test_another_value_than_profiles_remember_is_refused(profiles, tmp_path, asked, made, form):
    name = next(iter(asked))
    with pytest.raises(ValueError, match=rf"`{name}=.*were made with {name}={made}; call spb.pp.profiles again"):
        _moments.of(again(profiles, tmp_path, form), **asked)


def test_batches_that_profiles_were_not_made_with(cells):
    with pytest.warns(UserWarning, match="differences between the levels of"):
        screen = _moments.of(cells, groupby="gene")
    with pytest.raises(ValueError, match=r"`batch_key='batch'`, but these profiles were made with batch_key=None"):
        _moments.of(stored_profiles.write(screen, cells.var), batch_key="batch")


def test_splits_of_profiles(profiles):
    profiles.obs["other"] = ["test", "val", "val", "train", None, "test"]
    back = _moments.of(profiles, split_key="other")
    assert back.split.tolist() == ["train", "val", "val", "train", "", "test"], "the control is train"
    assert back.used.tolist() == [True, True, True, True, False, False]
    assert back.reason.tolist()[4] == "no split"
    assert back.record["split_key"] == "other"
    with pytest.raises(KeyError, match=r"`split_key`: obs of these profiles has no column 'nope'"):
        _moments.of(profiles, split_key="nope")
    profiles.obs["bad"] = "held out"
    with pytest.raises(ValueError, match=r"obs\['bad'\] contains \['held out'\]"):
        _moments.of(profiles, split_key="bad")


@pytest.mark.parametrize("form", ["memory", "h5ad", "zarr"])
def test_layers_of_profiles(profiles, screen, tmp_path, form):
    made = standardize(screen.moments, center=np.arange(4.0), scale=np.full(4, 2.0))
    stored_profiles.write_layer(profiles, "z", made, {"kind": "standardized"})
    back = again(profiles, tmp_path, form)
    found = _moments.of(back, layer="z")
    check(found.moments, made)
    assert found.moments.covariates is None
    assert found.record["layer"] == "z"
    # How many cells carry a gene is that of the values that the profiles were made of.
    np.testing.assert_allclose(found.moments.value_sums, value_sums(screen.moments))
    check(_moments.of(back).moments, screen.moments)
    with pytest.raises(ValueError, match=r"made from layer None. They have no layer 'other' made by spb.pp"):
        _moments.of(back, layer="other")


def test_the_layer_that_profiles_were_made_of(cells):
    cells.layers["logged"] = cells.X / 2
    screen = _moments.of(cells, groupby="gene", batch_key="batch", layer="logged")
    profiles = stored_profiles.write(screen, cells.var)
    check(_moments.of(profiles).moments, screen.moments)
    check(_moments.of(profiles, layer="logged").moments, screen.moments)


def test_profiles_are_not_changed_by_reading(profiles):
    before = (profiles.obs.to_csv(), profiles.X.tobytes(), repr(profiles.uns), list(profiles.layers))
    _moments.of(profiles).moments.mean[:] += 0.0
    assert (profiles.obs.to_csv(), profiles.X.tobytes(), repr(profiles.uns), list(profiles.layers)) == before
