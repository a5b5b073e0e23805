"""An audit takes effects within the columns with which labels are confounded, and says so."""

import warnings

import numpy as np
import pandas as pd
import pytest
from benchmarks import screens

import scpertbias as spb
from scpertbias import _moments
from scpertbias.get._screen import balance as balance_of
from scpertbias.get._screen import check as check_of
from scpertbias.tl._audit.audit import audit as run_audit
from scpertbias.tl._audit.cross_fit import Variant
from scpertbias.tl._audit.prepare import prepare
from scpertbias.tl._audit.settings import AuditSettings


def drawn(seed, shape, plant="none", **changes):
    return screens.normalize(screens.draw(seed, shape=shape, plant=plant, truth_cells=0, **changes))


@pytest.fixture(scope="module")
def nested():
    return drawn(1, "nested", "own")


def audited(adata, **kwargs):
    return run_audit(adata, **{"models": ("mean", "ridge"), "regimes": ["full"], "n_folds": 2, "n_random": 0, **kwargs})


def test_a_confounded_column_is_adopted(nested):
    mdata, given = audited(nested), audited(nested, batch_key="batch")
    record = mdata.uns["scpertbias"]["audit"]
    assert record["adopted_columns"].tolist() == record["batch_key"].tolist() == ["batch"]
    assert any(
        note.startswith("batch was adopted as batch_key: unequal proportions of its levels account for")
        for note in record["notes"]
    )
    row = balance_of(mdata, column="batch").iloc[0]
    assert (row["status"], row["within"]) == ("adopted", "")
    assert row["share"] > 0.1
    assert row["p"] < 0.01
    for name in ("scores", "summary", "confounding", "perturbations", "specificity"):
        ours, theirs = mdata.uns["scpertbias"][name], given.uns["scpertbias"][name]
        pd.testing.assert_frame_equal(ours, theirs), name
    assert "own batch" in check_of(mdata, check="batches")["detail"].item()
    assert list(given.uns["scpertbias"]["audit"]["adopted_columns"]) == []


def test_none_switches_it_off(nested):
    with pytest.warns(UserWarning, match="differences between the levels of"):
        mdata = audited(nested, batch_key=None)
    assert balance_of(mdata, column="batch")["status"].item() == "confounded"
    assert list(mdata.uns["scpertbias"]["audit"]["adopted_columns"]) == []
    assert check_of(mdata, check="batches")["status"].item() == "warning"


@pytest.mark.parametrize("name", ["leiden", "cell_type"])
def test_what_may_be_an_outcome_is_not_adopted(nested, name):
    adata = nested.copy()
    adata.obs = adata.obs.rename(columns={"batch": name})
    mdata = audited(adata)
    assert list(mdata.uns["scpertbias"]["audit"]["adopted_columns"]) == []
    assert balance_of(mdata, column=name)["status"].item() == {"leiden": "outcome", "cell_type": "confounded"}[name]


def test_a_balanced_batch_is_tested_and_no_warning_says_that_it_was_not():
    adata = drawn(2, "balanced", "own")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mdata = audited(adata)
    assert balance_of(mdata, column="batch")["status"].item() in ("balanced", "noted")
    check = check_of(mdata, check="batches")
    assert check[["status", "detail"]].to_numpy().tolist() == [
        ["ok", "`batch_key` was not given; the audit tests whether perturbations are balanced over batch"]
    ]
    adata.obs["donor"] = [f"d{i % 150}" for i in range(adata.n_obs)]  # more levels than can be tested
    mdata = audited(adata)
    assert balance_of(mdata, column="donor")["status"].item() == "cannot be separated"


def test_two_columns_are_adopted_at_most(nested):
    adata, rng = nested.copy(), np.random.default_rng(0)
    x, added = adata.X.toarray(), []
    labels = adata.obs["perturbation"].astype(str).to_numpy()
    for i, part in enumerate((0.9, 0.8, 0.75)):
        of_label = {name: rng.random() < 0.5 for name in set(labels)}
        leans = np.array([of_label[name] for name in labels])
        level = np.where(labels == "control", rng.random(adata.n_obs) < 0.5, (rng.random(adata.n_obs) < part) == leans)
        adata.obs[f"lot{i}"] = np.where(level, "a", "b")
        x[level] += np.abs(rng.normal(scale=0.25, size=adata.n_vars))
        added.append(f"lot{i}")
    adata.X = x.astype(np.float32)
    del adata.obs["batch"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a combination may have few control cells
        mdata = audited(adata)
    adopted = mdata.uns["scpertbias"]["audit"]["adopted_columns"].tolist()
    assert len(adopted) == 2
    table = balance_of(mdata).set_index("column")
    assert table.loc[adopted, "status"].tolist() == ["adopted", "adopted"]
    assert table.loc[adopted[1], "within"] == adopted[0]
    (left,) = set(added) - set(adopted)
    assert table.loc[left, "within"] == " × ".join(adopted)


def test_models_of_cells_are_trained_within_the_column(nested):
    ready = prepare(nested, [Variant("deep", "gears", {})], None, AuditSettings(covariates=()))
    assert ready.data["batch_key"] == ["batch"]
    assert list(_moments.of(ready.profiles).record["batch_key"]) == ["batch"]
    off = prepare(nested, [], None, AuditSettings(covariates=(), batch_key="batch"))
    assert list(_moments.of(off.profiles).record["batch_key"]) == ["batch"]
    assert off.notes == []


def test_profiles_only_warn(nested):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        profiles = spb.pp.profiles(nested)
    with pytest.warns(UserWarning, match=r"confounded with 'batch'.*spb.pp.profiles\(cells, batch_key='batch'\)"):
        mdata = audited(profiles)
    assert balance_of(mdata, column="batch")["status"].item() == "confounded"
    within = spb.pp.profiles(nested, batch_key="batch")
    mdata = audited(within)
    assert mdata.uns["scpertbias"]["audit"]["batch_key"].tolist() == ["batch"]
    assert balance_of(mdata, column="batch")["status"].item() == "adopted"


def test_external_predictions_are_judged_within_the_column(nested):
    adata = nested.copy()
    spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    names = sorted(set(adata.obs["perturbation"]) - {"control"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        screen = _moments.of(adata, batch_key="batch").merged
    theirs = pd.DataFrame(screen.moments.mean, list(screen.names), adata.var_names).loc[names]
    mdata = audited(adata, predictions={"theirs": theirs})
    summary = spb.get.summary(mdata, models="theirs", metric="l2", subset="all")
    assert summary["estimate"].item() == pytest.approx(0, abs=1e-9), "the truth within batches"
