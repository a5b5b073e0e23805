"""One modality for each regime; what cannot be made is left out with the reason, or an error when asked for."""

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _compat, _moments

MT, RIBO = ["MT-CO1", "MT-ND1"], ["RPL3", "RPS6"]


def made_of(cells, without=(), **kwargs):
    return spb.pp.profiles(cells[:, ~cells.var_names.isin(without)].copy(), **kwargs)


def left_out(mdata) -> dict[str, str]:
    table = mdata.uns["scpertbias"]["regimes_left_out"]
    return dict(zip(table["regime"].astype(str), table["reason"].astype(str), strict=True))


def test_all_four(cells):
    profiles = made_of(cells, covariates=["stress"], batch_key="run")
    before = profiles.copy()
    mdata = spb.pp.regimes(profiles)
    assert list(mdata.mod) == ["full", "no_mt", "no_mt_ribo", "regressed"]
    assert left_out(mdata) == {}
    genes = list(cells.var_names)
    assert mdata["full"].var_names.tolist() == mdata["regressed"].var_names.tolist() == genes
    assert mdata["no_mt"].var_names.tolist() == [g for g in genes if g not in MT]
    assert mdata["no_mt_ribo"].var_names.tolist() == [g for g in genes if g not in MT + RIBO]
    assert all(m.obs_names.equals(profiles.obs_names) for m in mdata.mod.values())
    assert mdata.axis == -1
    np.testing.assert_array_equal(profiles.X, before.X)
    mdata["full"].X[:] = 0
    np.testing.assert_array_equal(profiles.X, before.X)


@pytest.mark.parametrize("gone", [MT, MT + RIBO])
def test_fewer_genes_are_profiles_of_fewer_genes(cells, gone):
    mdata = spb.pp.regimes(made_of(cells, covariates=["stress"]))
    found = _moments.of(mdata["no_mt" if gone == MT else "no_mt_ribo"]).moments
    expected = _moments.of(made_of(cells, gone, covariates=["stress"])).moments
    for name in ("mean", "var", "half", "blocks", "n_blocks"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name))
    np.testing.assert_allclose(found.covariates.cross, expected.covariates.cross)


@pytest.mark.parametrize("batch_key", [None, "run"])
@pytest.mark.parametrize("fit_on", ["control", "train"])
def test_regressed_is_the_pseudobulk_of_the_regressed_layer(cells, batch_key, fit_on):
    cells.obs["split"] = np.where(cells.obs["perturbation"] == "STAT1", "test", "train")
    covariates = ["stress", "depth"]
    mdata = spb.pp.regimes(made_of(cells, batch_key=batch_key, covariates=covariates), fit_on=fit_on)
    spb.pp.regress_mt_ribo(cells, covariates=covariates, batch_key=batch_key, fit_on=fit_on)
    expected = _moments.of(spb.pp.profiles(cells, layer="regressed", batch_key=batch_key)).moments
    found = _moments.of(mdata["regressed"]).moments
    for name in ("mean", "half", "blocks"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=2e-6)
    if batch_key is None:
        np.testing.assert_allclose(found.var, expected.var, atol=2e-5)
    assert np.abs(found.mean - _moments.of(mdata["full"]).moments.mean).max() > 0.01
    assert found.covariates is None


def test_rows_keep_their_columns(cells):
    profiles = made_of(cells, covariates=["stress"])
    spb.pp.split(profiles, n_folds=3)
    profiles.obs["mine"] = np.arange(profiles.n_obs)
    mdata = spb.pp.regimes(profiles)
    for modality in mdata.mod.values():
        pd.testing.assert_frame_equal(modality.obs, profiles.obs)


def test_a_target_that_goes_is_no_longer_measured(make_cells):
    profiles = made_of(make_cells(targets=("JAK2", "RPL3")))
    mdata = spb.pp.regimes(profiles)
    measured = {name: m.obs.loc["RPL3", "target_measured"] for name, m in mdata.mod.items()}
    assert measured == {"full": True, "no_mt": True, "no_mt_ribo": False}


REASONS = [
    (RIBO, "no_mt_ribo", "no ribosomal gene is measured, so this regime equals the regime without mitochondrial genes"),
    (MT, "no_mt", "no mitochondrial gene is measured"),
    (MT + RIBO, "no_mt_ribo", "no mitochondrial and no ribosomal gene is measured"),
    ([], "regressed", "the profiles have no covariate"),
]


@pytest.mark.parametrize(("without", "regime", "reason"), REASONS)
def test_left_out_by_default_with_the_reason(cells, without, regime, reason):
    mdata = spb.pp.regimes(made_of(cells, without))
    assert regime not in mdata.mod
    assert left_out(mdata)[regime].startswith(reason)


@pytest.mark.parametrize(("without", "regime", "reason"), REASONS)
def test_an_error_when_asked_for_by_name(cells, without, regime, reason):
    with pytest.raises(ValueError, match=f"`regimes`: '{regime}' cannot be created for these data: {reason}"):
        spb.pp.regimes(made_of(cells, without), ["full", *(["no_mt"] if without == RIBO else []), regime])


def test_what_equals_an_earlier_one_depends_on_what_is_there(cells):
    profiles = made_of(cells, RIBO)
    assert list(spb.pp.regimes(profiles, "no_mt_ribo").mod) == ["full", "no_mt_ribo"]
    with pytest.raises(
        ValueError, match="'no_mt' cannot be created.*equals the regime without mitochondrial and ribosomal genes"
    ):
        spb.pp.regimes(profiles, ["no_mt_ribo", "no_mt"])


def test_a_constant_covariate_leaves_regressed_out(cells):
    cells.obs["constant"] = 2.5
    profiles = made_of(cells, covariates=["constant"])
    assert left_out(spb.pp.regimes(profiles))["regressed"].startswith("no covariate varies")
    with pytest.raises(ValueError, match="'regressed' cannot be created.*no covariate varies"):
        spb.pp.regimes(profiles, ["regressed"])


def test_covariates_by_name(cells):
    profiles = made_of(cells, covariates=["stress", "depth"])
    one = spb.pp.regimes(profiles, ["regressed"], covariates=["stress"])["regressed"]
    alone = spb.pp.regimes(made_of(cells, covariates=["stress"]), ["regressed"])["regressed"]
    np.testing.assert_allclose(one.X, alone.X)
    with pytest.raises(ValueError, match=r"have the covariates \['stress', 'depth'\], but not \['typo'\]"):
        spb.pp.regimes(profiles, covariates=["typo"])


def test_annotation_wins_over_names(cells):
    profiles = made_of(cells)
    profiles.var["mt"] = profiles.var_names.isin(["GENE1"])
    profiles.var["ribo"] = profiles.var_names.isin(["GENE2", "GENE3"])
    mdata = spb.pp.regimes(profiles)
    assert set(mdata["full"].var_names) - set(mdata["no_mt_ribo"].var_names) == {"GENE1", "GENE2", "GENE3"}


@pytest.mark.parametrize("without", [[], RIBO])
def test_round_trip(cells, without, tmp_path):
    mdata = spb.pp.regimes(made_of(cells, without, covariates=["stress"]))
    _compat.write_h5mu(mdata, str(tmp_path / "regimes.h5mu"))
    back = _compat.read_h5mu(str(tmp_path / "regimes.h5mu"))
    assert list(back.mod) == list(mdata.mod)
    assert left_out(back) == left_out(mdata)
    for name, modality in mdata.mod.items():
        one, other = _moments.of(modality), _moments.of(back[name])
        assert one.names == other.names
        np.testing.assert_array_equal(one.moments.half, other.moments.half)
        np.testing.assert_array_equal(one.moments.blocks, other.moments.blocks)


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"regimes": ["full", "random"]}, r"`regimes`: \['random'\] are unknown"),
        ({"regimes": "no_ribo"}, r"\['no_ribo'\] are unknown"),
        ({"fit_on": "all"}, "`fit_on` is 'all'"),
    ],
)
def test_wrong_input(cells, kwargs, words):
    with pytest.raises(ValueError, match=words):
        spb.pp.regimes(made_of(cells), **kwargs)


def test_cells_are_refused(cells):
    with pytest.raises(ValueError, match="contains cells; first make profiles with"):
        spb.pp.regimes(cells)


def test_the_real_screen_says_what_it_lacks():
    profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep", covariates=["p_mito"])
    mdata = spb.pp.regimes(profiles)
    assert list(mdata.mod) == ["full", "no_mt", "regressed"]
    assert mdata["no_mt"].n_vars == 298
    assert left_out(mdata) == {
        "no_mt_ribo": "no ribosomal gene is measured, so this regime equals the regime without mitochondrial genes"
    }
