"""The command behind the tables of probes runs, and simulated screens show what an independent study has of such."""

import pytest
from benchmarks import probes

import scpertbias as spb


# METRICS-scores, section 3: what it states of simulated screens with an axis
@pytest.mark.parametrize(("design", "mse"), [("300 cells, 2,000 controls", 1), ("100 cells, 1,000 controls", -1)])
def test_signs_on_simulated_screens(design, mse):
    profiles = spb.pp.profiles(probes.simulated(design), batch_key="batch")
    shown = ["mse", "pearson_delta_perturbed", "de_direction", "de_auprc", "de_nmae"]
    spb.tl.probes(profiles, metrics=shown, n_boot=0)
    values = spb.get.probes(profiles).set_index(["probe", "metric"])["scaled"]
    assert mse * values["replicate", "mse"] > 0
    for metric in ("de_direction", "de_auprc", "de_nmae"):
        assert values["replicate", metric] > 0.2
    assert values["no_change", "pearson_delta_perturbed"] > 0.05


def test_markdown():
    profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    spb.tl.probes(profiles, metrics=["mse", "mae"], n_boot=0)
    lines = probes.markdown(spb.get.probes(profiles)).splitlines()
    assert lines[0] == "| probe | mse | mae |"
    assert lines[3] == "| mean | 0.00 | 0.00 |"
    assert len(lines) == 23
