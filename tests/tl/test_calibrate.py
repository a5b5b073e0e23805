"""The audit audits itself: quiet where there is nothing, and a fault that is planted back shows."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import scpertbias as spb
from scpertbias._core import noise
from scpertbias._core.row_moments import MomentAccumulator
from scpertbias._tables import columns
from scpertbias.tl._calibrate import calibrate, null_screens_of

QUICK = {"models": (), "covariates": (), "n_screens": 4}


@pytest.fixture(scope="module")
def nested():
    """Cells without any effect, each perturbation in one of five batches with 40 controls each."""
    rng = np.random.default_rng(0)
    label = np.repeat(["control", *(f"P{i}" for i in range(30))], [200, *[60] * 30])
    batch = np.concatenate([np.arange(200) % 5, np.repeat(np.arange(30) % 5, 60)])
    values = rng.normal(4, 1, (len(label), 120)) + 0.5 * rng.standard_normal((5, 120))[batch]
    obs = pd.DataFrame(
        {"perturbation": label, "batch": [f"b{i}" for i in batch]}, index=[f"c{i}" for i in range(len(label))]
    )
    return AnnData(values.clip(0).astype(np.float32), obs)


@pytest.fixture(scope="module")
def screen():
    """As it is, but with controls enough for null screens."""
    rng = np.random.default_rng(1)
    label = np.repeat(["control", *(f"P{i}" for i in range(12))], [600, *[300] * 12])
    batch = np.concatenate([np.arange(600) % 6, np.repeat(np.arange(12) % 6, 300)])
    values = rng.normal(4, 1, (len(label), 120)) + 0.5 * rng.standard_normal((6, 120))[batch]
    obs = pd.DataFrame(
        {"perturbation": label, "batch": [f"b{i}" for i in batch]}, index=[f"c{i}" for i in range(len(label))]
    )
    return AnnData(values.clip(0).astype(np.float32), obs)


def rates(adata):
    table = spb.get.calibration(adata)
    return table[table["model"] == ""].set_index(["question", "metric"])


def test_null_screens_keep_sizes_and_batches(screen):
    maker = null_screens_of(screen, {"batch_key": "batch"}, max_cells=20_000, rng=0)
    null = maker.make(0)
    assert null.n_obs == 600
    n = null.obs["perturbation"].value_counts()
    assert set(n.index) == set(screen.obs["perturbation"])
    share = 600 / screen.n_obs
    assert n["control"] == pytest.approx(600 * share, rel=0.2)
    # each perturbation in its own batch, as in the screen
    pairs = null.obs[null.obs["perturbation"] != "control"].drop_duplicates(["perturbation", "batch"])
    assert len(pairs) == 12
    of = screen.obs.drop_duplicates("perturbation").set_index("perturbation")["batch"]
    assert (pairs.set_index("perturbation")["batch"] == of[pairs["perturbation"]].to_numpy()).all()
    assert not maker.make(1).obs["perturbation"].equals(null.obs["perturbation"])
    few = null_screens_of(screen, {"batch_key": "batch"}, max_cells=540, rng=0)
    assert few.cells.n_obs == 540


def test_control_guides_as_perturbations(screen):
    """Half of the guides with 20 cells are perturbations; a guide with an effect shows."""
    rng = np.random.default_rng(2)
    cells = screen.copy()
    control = np.flatnonzero(cells.obs["perturbation"] == "control")
    guide = np.array([f"g{i}" for i in rng.integers(0, 8, cells.n_obs)], dtype=object)
    guide[control[:10]] = "rare"
    cells.obs["guide"] = guide
    maker = null_screens_of(cells, {"batch_key": "batch"}, max_cells=20_000, rng=0, guide_key="guide")
    null = maker.make(0)
    perturbed = null.obs[null.obs["perturbation"] != "control"]
    assert perturbed["guide"].nunique() == perturbed["perturbation"].nunique() == 4
    assert "rare" not in set(perturbed["guide"])
    assert (null.obs.loc[~null.obs["guide"].isin(perturbed["guide"]), "perturbation"] == "control").all()
    how = {"by": "guides", "guide_key": "guide", "batch_key": "batch", "copy": True}
    fair = rates(calibrate(cells, **QUICK, **how))
    assert not fair.loc[("response_known", ""), "flag"]
    off_target = cells.copy()
    off_target.X[np.isin(guide, ["g0", "g1", "g2", "g3"]), :40] += 0.6
    found = spb.get.calibration(calibrate(calibrate(off_target, batch_key="batch", copy=True, **QUICK), **QUICK, **how))
    known = found[found["question"] == "response_known"].set_index("by")
    assert known.loc["guides", "flag"]
    assert not known.loc["cells", "flag"], "random cells are mixed over guides"
    cells.obs["guide"] = "one"
    with pytest.warns(UserWarning, match="too few control guides"):
        calibrate(cells, **QUICK, **how)
    with pytest.raises(ValueError, match="`guide_key`"):
        calibrate(cells, by="guides")


def test_quiet_without_a_fault_and_loud_with_it(screen, monkeypatch):
    """The fault of version 1: both halves are compared with all controls of the batch, and share their noise."""
    assert calibrate(screen, batch_key="batch", **QUICK) is None
    fair = rates(screen)
    assert fair.reset_index()["question"].isin(["halves_agree", "detected", "screen"]).any()
    assert not fair["flag"].any(), fair[fair["flag"]]
    assert fair.loc[("halves_agree", ""), "rate"] < 0.2

    fold = MomentAccumulator.moments

    def with_all_controls(accumulator):
        m = fold(accumulator)
        apart = np.nan_to_num(m.control_half) - m.control_batch
        effects = m.half - m.half[:, [m.reference]] + np.stack([m.half_weights[a] @ apart[a] for a in (0, 1)])
        effects[:, m.reference] = 0
        return replace(m, half=m.control + effects, control_half=np.stack([m.control_batch] * 2))

    monkeypatch.setattr(MomentAccumulator, "moments", with_all_controls)
    faulty = rates(calibrate(screen, batch_key="batch", copy=True, **QUICK))
    assert faulty.loc[("halves_agree", ""), "flag"]
    assert faulty.loc[("halves_agree", ""), "rate"] > 0.5


def test_noise_that_is_forgotten_shows(screen, monkeypatch):
    """Squared effects from which the noise of the control is not taken."""
    parts = noise.NoiseParts.total.fget
    monkeypatch.setattr(noise.NoiseParts, "total", property(lambda self: 0.7 * parts(self)))
    table = rates(calibrate(screen, batch_key="batch", copy=True, **QUICK))
    assert table.loc[("response_known", ""), "flag"]


def test_table_and_choices(screen, nested):
    calibrated = calibrate(
        screen, n_screens=2, models=("mean", "no_change"), covariates=(), batch_key="batch", copy=True
    )
    table = spb.get.calibration(calibrated)
    assert table.columns.tolist() == columns("calibration")
    again = calibrate(screen, n_screens=2, models=("mean", "no_change"), covariates=(), batch_key="batch", copy=True)
    pd.testing.assert_frame_equal(spb.get.calibration(again), table)
    mdata = spb.tl.audit(calibrated, batch_key="batch", models=(), covariates=(), regimes=("full",), n_random=0)
    pd.testing.assert_frame_equal(spb.get.calibration(mdata), table)
    by_model = table[(table["question"] == "better_than_mean") & (table["metric"] == "pearson_delta_perturbed")]
    assert by_model["rate"].tolist() == [1.0], "an offset from the mean is paid for, also where nothing responds"
    gain = table[(table["question"] == "specific_gain") & (table["model"] == "no_change")]
    assert (gain["rate"] == 0).all()
    with pytest.warns(UserWarning, match="too few control cells"):
        few = calibrate(nested, batch_key="batch", copy=True, **QUICK)
    assert spb.get.calibration(few)["note"].tolist() == ["too few control cells"]
    with pytest.raises(ValueError, match="`by`"):
        calibrate(screen, by="genes")
    with pytest.raises(ValueError, match="`n_screens` is 0"):
        calibrate(screen, n_screens=0)
    with pytest.raises(TypeError, match="profiles"):
        calibrate(spb.pp.profiles(screen, batch_key="batch"))
