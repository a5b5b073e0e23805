"""A planted shift of columns behind a dropped gene is found; constant models are not asked."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments, _store
from scpertbias.tl._target_response import FEW, target_response, target_response_table


def planted(shift_from: int | None = None) -> ad.AnnData:
    """100 knock-downs of measured genes in 400 genes; behind some column all values lie one column before their name."""
    rng = np.random.default_rng(0)
    genes = np.array([f"G{i}" for i in range(400)])
    targets = np.sort(rng.permutation(400)[:100])
    label = np.repeat(np.arange(101), [300, *[25] * 100])
    mean = np.log1p(rng.gamma(1.5, size=400))[None] + np.zeros((101, 1))
    mean[np.arange(1, 101), targets] *= 0.2
    mean[1:] += 0.05 * rng.normal(size=(100, 400))
    values = np.maximum(mean[label] + 0.3 * rng.normal(size=(len(label), 400)), 0.0)
    if shift_from is not None:
        kept = np.r_[np.delete(np.arange(400), shift_from), 0]
        values = values[:, kept]
    names = np.array(["control", *genes[targets]])[label]
    obs = pd.DataFrame({"perturbation": pd.Categorical(names)}, index=[f"c{i}" for i in range(len(label))])
    return ad.AnnData(values, obs=obs, var=pd.DataFrame(index=genes))


def proposals(table: pd.DataFrame, model: str = "observed") -> dict[str, int]:
    mine = table[(table["model"] == model) & table["proposed"].fillna(False).astype(bool)]
    return dict(zip(mine["block"], mine["shift"].astype(int), strict=True))


@pytest.mark.parametrize("direction", ["either", "down"])
def test_targets_in_their_own_column(direction):
    adata = planted()
    target_response(adata, direction=direction)
    table = _store.table(adata, "target_response", made_by="")
    found = proposals(table)
    assert found["all"] == 0
    assert set(found.values()) == {0}
    whole = table[(table["block"] == "all") & (table["shift"] == 0)].iloc[0]
    assert whole["percentile"] > 0.9
    assert whole["n_targets"] == 100
    assert whole["p"] == pytest.approx(1 / 1001)
    own = table[table["level"] == "perturbation"].set_index("perturbation")
    assert len(own) == 100
    assert own["percentile"].mean() == pytest.approx(whole["percentile"])
    assert (own["gene"] == own.index).all()
    screen = _moments.of(adata)
    p, g = screen.names.index(own.index[7]), adata.var_names.get_loc(own.index[7])
    m = screen.moments
    delta = m.mean[p, g] - m.control[g]
    assert own["delta"].iloc[7] == pytest.approx(delta)
    of_control = max(m.control_var[0, g], m.pooled_var[g]) / m.n[0]
    assert own["z"].iloc[7] == pytest.approx(delta / np.sqrt(max(m.var[p, g], m.pooled_var[g]) / m.n[p] + of_control))


def test_wrong_direction_finds_nothing():
    adata = planted()
    target_response(adata, direction="up")
    table = _store.table(adata, "target_response", made_by="")
    assert proposals(table) == {}
    assert table[(table["block"] == "all") & (table["shift"] == 0)]["percentile"].item() < 0.2


def test_shift_behind_a_dropped_gene_is_proposed_in_its_blocks():
    adata = planted(shift_from=203)
    with pytest.warns(UserWarning, match=r"Values and var_names seem to be misaligned"):
        target_response(adata)
    table = _store.table(adata, "target_response", made_by="")
    found = proposals(table)
    assert {found.get(str(b), 0) for b in range(1, 6)} == {0}
    behind = [found[str(b)] for b in range(6, 11) if str(b) in found]
    assert len(behind) >= 3
    assert set(behind) == {-1}
    blocks = table[table["level"] == "scan"].drop_duplicates("block").set_index("block")
    assert blocks.loc["6", ["first", "last"]].tolist() == ["G200", "G239"]
    assert (blocks["note"].isin(["", FEW])).all()


@pytest.mark.slow
def test_shift_in_a_simulated_screen():
    cells = spb.ds.simulate(15_000, 1187, 400, keep_counts=False)
    table = target_response_table(_moments.of(cells, min_cells=10), {}, direction="down")
    assert proposals(table)["all"] == 0
    kept = np.r_[np.delete(np.arange(1187), 600), 0]
    moved = ad.AnnData(cells.X[:, kept], obs=cells.obs, var=cells.var)
    table = target_response_table(_moments.of(moved, min_cells=10), {}, direction="down")
    found = proposals(table)
    assert found["all"] == -1
    late = {shift for block, shift in found.items() if block != "all" and int(block) > 6}
    early = {shift for block, shift in found.items() if block != "all" and int(block) < 6}
    assert (early, late) == ({0}, {-1})


def test_models_and_constants():
    adata = planted()
    spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    profiles = spb.pp.profiles(adata)
    test = sorted(set(profiles.obs["perturbation"][profiles.obs["split"] == "test"]))
    rows = profiles[profiles.obs["perturbation"].isin(test)]
    names = rows.obs["perturbation"].astype(str).to_numpy()
    values, control = np.array(rows.X), np.array(profiles.X[0])
    right = pd.DataFrame(values, index=names, columns=rows.var_names)
    shifted = pd.DataFrame(control + np.roll(values - control, 2, axis=1), index=names, columns=rows.var_names)
    spb.tl.fit_mean(profiles)
    spb.tl.add_predictions(profiles, right, key_added="right", test=test)
    spb.tl.add_predictions(profiles, shifted, key_added="shifted", test=test)
    target_response(profiles)
    table = _store.table(profiles, "target_response", made_by="")
    assert proposals(table, "observed")["all"] == 0
    assert proposals(table, "right")["all"] == 0
    assert proposals(table, "shifted")["all"] == 2
    mean = table[table["model"] == "mean"]
    assert mean["note"].tolist() == ["same prediction for every unseen perturbation"]
    assert mean["percentile"].isna().all()
    assert set(table[(table["model"] == "right") & (table["level"] == "perturbation")]["perturbation"]) == set(test)
    again = target_response(profiles, "right", copy=True)
    columns = ["percentile", "expected", "p"]
    pd.testing.assert_frame_equal(
        _store.table(again, "target_response", made_by="").query("model == 'right'")[columns].reset_index(drop=True),
        table.query("model == 'right'")[columns].reset_index(drop=True),
    )


def test_few_targets_are_not_informative():
    profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    target_response(profiles)
    table = _store.table(profiles, "target_response", made_by="")
    assert (table[table["level"] == "scan"]["note"] == FEW).all()
    assert table["p"].isna().all()
    assert not table["proposed"].fillna(False).any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"direction": "left"}, r"`direction` is 'left'; it must be one of \['either', 'down', 'up'\]"),
        ({"max_shift": -1}, "`max_shift` is -1"),
        ({"n_perm": 0}, "n_perm 1 or more"),
    ],
)
def test_wrong_arguments(wrong, message):
    with pytest.raises(ValueError, match=message):
        target_response(planted(), **wrong)
