"""Cells needed: the tables against the definition, and their words."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import scpertbias as spb
from scpertbias import _moments
from scpertbias._core.noise import noise_parts
from scpertbias.tl._power import N_CELLS, TARGETS, cells_needed_table, power_table


@pytest.fixture(scope="module")
def profiles():
    adata = spb.ds.papalexi_2021()
    profiles = spb.pp.profiles(adata[np.arange(adata.n_obs) % 3 == 0], batch_key="bio_rep")
    spb.tl.power(profiles)
    return profiles


def test_tables_are_the_definition(profiles):
    screen = _moments.of(profiles)
    rows, detection = np.flatnonzero(screen.detection.counted), screen.detection
    parts = noise_parts(screen.moments, rows)
    t, control = parts.own * parts.n, parts.weights**2 @ parts.control
    effect = np.maximum(detection.squared_effect[rows], 0)
    power, needed = spb.get.power(profiles), spb.get.cells_needed(profiles)
    assert power["n_cells"].tolist() == [*N_CELLS] * (1 + len(rows))
    for n in N_CELLS:
        at = power[power["n_cells"] == n]
        assert at["perturbation"].tolist() == ["", *(screen.names[r] for r in rows)]
        np.testing.assert_allclose(at["reproducibility"][1:], effect / (effect + t / n + control))
        total = detection.squared_effect[rows].sum()
        assert at["reproducibility"].iloc[0] == pytest.approx(total / (total + (t / n + control).sum()))
    assert (power["ci_low"] <= power["reproducibility"]).all()
    assert (power["ci_high"] >= power["reproducibility"]).all()
    of_rows = needed[needed["level"] == "perturbation"]
    np.testing.assert_allclose(of_rows["reproducibility"][::2], detection.reproducibility[rows])
    assert of_rows["n_cells"][::2].tolist() == parts.n.tolist()
    assert needed["target"].tolist() == [*TARGETS] * (1 + len(rows))
    for (_, row), e, per_cell, c in zip(of_rows[::2].iterrows(), effect, t, control, strict=True):
        if pd.notna(row["n_needed"]):
            assert row["n_needed"] == int(np.ceil(per_cell / (e - c)))


def test_words_say_what_it_takes(profiles):
    table = spb.get.cells_needed(profiles)
    for status, rows in table.groupby("status"):
        assert rows["n_needed"].notna().all() == (status in ("enough", "more cells")), status
        assert rows["ci_low"].isna().equals(rows["n_needed"].isna())
    known = table[table["n_needed"].notna()]
    assert ((known["status"] == "enough") == (known["n_needed"] <= known["n_cells"])).all()
    assert (known["ci_low"] <= known["n_needed"]).all()
    assert (known["ci_high"].fillna(10**9) >= known["n_needed"]).all()
    assert {"enough", "more cells", "unknown"} <= set(table["status"])
    strong = table[table["perturbation"] == "STAT1"].set_index("target")["n_needed"]
    assert 2 < strong[0.5] < strong[0.8] < 30  # 5 and 18 with all cells


def test_few_controls_cannot_be_made_up_for():
    """With 24 control cells the noise of the control alone is as large as a weak effect."""
    rng = np.random.default_rng(0)
    row = np.repeat(["control", *"ABCDE"], [24, *[500] * 5])
    shift = {"control": 0, **dict(zip("ABCDE", (0.0, 0.2, 0.22, 0.4, 1.0), strict=True))}
    signs = rng.choice([-1, 1], 200)
    values = 6 + rng.normal(size=(len(row), 200)) + np.array([shift[r] for r in row])[:, None] * signs
    obs = pd.DataFrame({"perturbation": row}, index=[f"c{i}" for i in range(len(row))])
    adata = AnnData(values.astype("float32"), obs)
    spb.tl.power(adata, targets=(0.6,))
    table = spb.get.cells_needed(adata, level="perturbation").set_index("perturbation")
    assert table.loc["A", "status"] == "unknown"
    assert table.loc["E", "status"] == "enough"
    assert table.loc[["B", "C"], "status"].tolist() == ["more controls"] * 2
    assert table.loc[["A", "B", "C"], "n_needed"].isna().all()


def test_predicted_from_all_cells_is_what_fewer_cells_have(profiles):
    """A quarter of the cells of each perturbation, with all controls: the reproducibility of the screen is as predicted."""
    adata = spb.ds.papalexi_2021()
    whole = _moments.of(adata, batch_key="bio_rep")
    control = (adata.obs["perturbation"] == "non-targeting").to_numpy()
    rank = adata.obs.groupby("perturbation", observed=True).cumcount().to_numpy()
    measured = cells_needed_table(_moments.of(adata[control | (rank < 100)], batch_key="bio_rep")).iloc[0]
    assert 90 < measured["n_cells"] <= 100  # one perturbation has 48
    predicted = power_table(whole, (measured["n_cells"],)).iloc[0]
    assert measured["reproducibility"] == pytest.approx(predicted["reproducibility"], abs=0.03)


def test_nothing_to_compute():
    adata = spb.ds.simulate(400, 30, 3, rng=0)
    label = adata.obs["perturbation"].astype(str)
    one_each = ~label.duplicated() | (label == "non-targeting")
    screen = _moments.of(adata[one_each], min_cells=1)
    assert power_table(screen).empty
    assert cells_needed_table(screen).empty


def test_in_place_or_a_copy(profiles):
    again = spb.tl.power(profiles, n_cells=(7,), targets=(0.3,), copy=True)
    assert spb.get.power(again)["n_cells"].unique().tolist() == [7]
    assert spb.get.cells_needed(profiles)["target"].nunique() == 2


@pytest.mark.parametrize("wrong", [{"n_cells": ()}, {"n_cells": (0, 5)}, {"targets": (1.0,)}, {"targets": ()}])
def test_numbers_that_make_no_sense(profiles, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        spb.tl.power(profiles, **wrong)


def test_an_audit_stores_both(small_audit):
    needed = spb.get.cells_needed(small_audit)
    assert needed["level"].value_counts()["screen"] == 2
    assert set(spb.get.power(small_audit)["perturbation"]) == set(needed["perturbation"])
