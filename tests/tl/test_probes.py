"""Probes of a real screen and in an audit."""

import numpy as np
import pytest

import scpertbias as spb
from scpertbias._core.probe_scores import DEFAULT
from scpertbias._core.probes import PROBES
from scpertbias._tables import columns
from scpertbias.tl._probes import probes

# METRICS-scores, section 3: values on the bundled screen of 0.2 or more in size
PUBLISHED = {
    "no_change": {"mae": 0.27, "pearson_delta": -0.55, "pearson_delta_perturbed": 0.39, "de_direction": -0.73, "de_auprc": -0.41},
    "target_only": {"mae": 0.31, "pearson_delta_perturbed": 0.55, "de_direction": -0.73, "de_auprc": -0.41},
    "right_size_wrong_genes": {"mse": -0.91, "mae": -0.23, "pearson_delta": -0.41, "pearson_delta_perturbed": 0.49, "de_direction": -0.59, "de_auprc": -0.25, "de_nmae": -0.22},
    "axis_only": {"mse": 0.43, "pearson_delta_perturbed": 0.69, "discrimination": 0.39, "de_nmae": 0.30},
    "off_axis_only": {"pearson_delta": 0.20, "pearson_delta_perturbed": 0.67, "discrimination": 0.51, "pds_cosine": 0.58},
    "sign_only": {"mae": -0.43, "pearson_delta": -0.21, "pearson_delta_perturbed": 0.54, "discrimination": 0.26, "pds_cosine": 0.60, "de_direction": 0.95, "de_auprc": -0.25},
    "replicate_x0.3": {"mse": 0.46, "mae": 0.49, "pearson_delta": 0.58, "pearson_delta_perturbed": 0.84, "pds_cosine": 0.58, "de_direction": 0.95, "de_auprc": 0.86, "de_nmae": 0.22},
    "replicate": {"mse": 0.75, "mae": 0.43, "pearson_delta": 0.58, "pearson_delta_perturbed": 0.87, "discrimination": 0.86, "pds_cosine": 0.58, "de_direction": 0.95, "de_auprc": 0.86, "de_nmae": 0.94},
    "replicate_x3": {"mse": -5.5, "mae": -3.2, "pearson_delta": 0.58, "pearson_delta_perturbed": 0.64, "discrimination": 1.01, "pds_cosine": 0.58, "de_direction": 0.95, "de_auprc": 0.86, "de_nmae": -1.3},
}  # fmt: skip


@pytest.fixture(scope="module")
def profiles():
    data = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    assert probes(data) is None
    return data


def test_the_table_has_the_signs_of_an_independent_study(profiles):
    table = spb.get.probes(profiles)
    assert table.columns.tolist() == columns("probes")
    values = table.set_index(["probe", "metric"])["scaled"]
    for probe, scores in PUBLISHED.items():
        for metric, published in scores.items():
            assert np.sign(values[probe, metric]) == np.sign(published), (probe, metric, values[probe, metric])
    few = table[table["metric"] == "de_auprc"]
    assert (few.loc[few["n"] > 0, "note"].str.endswith("perturbations: no interval")).all()
    assert few["ci_low"].isna().all()
    assert table.loc[table["metric"] == "mse", "ci_low"].notna().all()


def test_in_an_audit():
    cells = spb.ds.simulate(2_000, 100, 12, axis_strength=0.4, keep_counts=False, rng=2)
    mdata = spb.tl.audit(cells, models=(), covariates=(), regimes=("full",))
    table = spb.get.probes(mdata)
    assert table["regime"].unique().tolist() == ["full"]
    assert table["probe"].unique().tolist() == list(PROBES)
    assert table["metric"].unique().tolist() == list(DEFAULT)
    again = probes(mdata["full"], metrics="mse", n_boot=0, copy=True)
    one = table[table["metric"] == "mse"].reset_index(drop=True)
    np.testing.assert_allclose(spb.get.probes(again)["scaled"], one["scaled"])  # its folds are those of the audit


def test_functions_and_names(profiles):
    mine = {"mine": lambda x, y, c: np.abs(x - y).mean()}
    data = probes(profiles, metrics=["mae"], functions=mine, n_boot=20, copy=True)
    wide = spb.get.probes(data).pivot(index="probe", columns="metric", values="scaled")
    np.testing.assert_allclose(wide["mine"], wide["mae"])
    with pytest.raises(ValueError, match="`metrics`"):
        probes(profiles, metrics="pearson")
