"""What is planted in a simulated screen is there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from benchmarks.screens import (
    CONTROL,
    DESIGNS,
    PLANTED,
    Screen,
    World,
    axis_share,
    common_share,
    draw,
    normalize,
    screen,
    set_share,
)
from benchmarks.screens import _table as expectation_table

QUICK = {"truth_cells": 64, "n_genes": 200}
SMALL = Screen(n_genes=60, n_perturbations=3, cells_per_perturbation=2500, n_control=2500, library=600.0)


def standard_scores(world: World, seed: int = 0) -> np.ndarray:
    """Means of a draw less the expected ones in standard errors (labels by batches by genes, with cells only)."""
    adata = normalize(world.draw(seed))
    values = adata.X.toarray().astype(float)
    scores = []
    for row, label in enumerate(world.cells.index):
        for b, batch in enumerate(world.cells.columns):
            here = ((adata.obs["perturbation"] == label) & (adata.obs["batch"] == batch)).to_numpy()
            if here.sum() > 1:
                error = values[here].std(axis=0, ddof=1) / np.sqrt(here.sum())
                gap = values[here].mean(axis=0) - world.truth["means_by_batch"][row, b]
                scores.append(gap / np.hypot(error, world.truth["means_error"]))
    return np.array(scores)


def as_expected(world: World, seed: int = 0) -> None:
    """Check that scores have the spread of chance; genes of one group share states, so the bounds are wide."""
    scores = standard_scores(world, seed)
    assert np.sqrt(np.square(scores).mean()) == pytest.approx(1, abs=0.3)
    assert np.abs(scores).max() < 5.5


@pytest.mark.parametrize("closure", ["none", "open", "relative", "fixed"])
@pytest.mark.parametrize("count_model", ["negative_binomial", "poisson_lognormal", "poisson"])
def test_means_are_as_expected(count_model: str, closure: str) -> None:
    config = replace(
        SMALL, count_model=count_model, closure=closure, design="one", own_strength=0.3, depth_spread=0.3,
        set_changes=(("mt", 0.8),), escape=0.2, truth_cells=1024,
    )  # fmt: skip
    as_expected(config.plant(1))


@pytest.mark.parametrize("design", ["nested", "uneven", "other_lot"])
def test_means_are_as_expected_in_batches(design: str) -> None:
    world = replace(SMALL, design=design, own_strength=0.3, batch_strength=0.4, truth_cells=1024).plant(2)
    as_expected(world)
    assert np.isnan(world.truth["means_by_batch"]).all(axis=2).sum() == (world.cells.to_numpy()[1:] == 0).sum()


def test_small_totals_are_as_expected() -> None:
    as_expected(replace(SMALL, n_genes=30, library=80.0, own_strength=0.5, truth_cells=2048).plant(3))


def test_truth_does_not_depend_on_its_cells() -> None:
    config = replace(SMALL, own_strength=0.3, truth_cells=256)
    few, many = config.plant(4).truth, replace(config, truth_cells=2048).plant(4).truth
    gap = np.sqrt(np.square(few["effects"] - many["effects"]).mean())
    assert gap < 3 * np.hypot(few["effects_error"], many["effects_error"])
    assert few["effects_error"] < 0.03 * np.sqrt(np.square(many["effects"]).mean())
    assert many["effects_error"] < few["effects_error"]
    assert few["axis_share"] == pytest.approx(many["axis_share"], abs=0.01)


@pytest.mark.parametrize("shape", DESIGNS)
def test_null_screens_have_no_effect(shape: str) -> None:
    truth = screen(shape, truth_cells=64).plant(5).truth
    assert not truth["log_fold"].any()
    assert not truth["effects"].any()
    assert truth["perturbations"]["no_effect"].all()
    assert np.isnan(truth["axis_share"])
    pooled = np.square(truth["effects_pooled"]).sum(axis=1).mean()
    if shape in ("nested", "uneven", "control_of_another_lot"):
        assert pooled > 0.5
    elif shape in ("one_batch", "balanced"):
        assert pooled < 0.01


def test_null_screens_show_only_noise() -> None:
    adata = normalize(draw(6, shape="one_batch", n_perturbations=20, truth_cells=0))
    values = pd.DataFrame(adata.X.toarray().astype(float))
    groups = values.groupby(adata.obs["perturbation"].to_numpy())
    means, noise = groups.mean(), groups.var().div(groups.size(), axis=0)
    delta = means.drop(CONTROL) - means.loc[CONTROL]
    energy = np.square(delta).sum(axis=1) - noise.drop(CONTROL).sum(axis=1) - noise.loc[CONTROL].sum()
    assert abs(energy.mean()) < 0.12 * noise.drop(CONTROL).sum(axis=1).mean()


def test_designs_place_cells() -> None:
    nested = screen("nested", truth_cells=0).plant(7).cells
    assert ((nested > 0).sum(axis=1)[1:] == 1).all()
    assert (nested.loc[CONTROL] > 0).all()
    assert (nested.iloc[1:] > 0).sum().min() == 10
    balanced = screen("balanced", truth_cells=0).plant(7).cells
    assert (balanced.max(axis=1) - balanced.min(axis=1)).max() <= 1
    uneven = screen("uneven", truth_cells=0).plant(7).cells.iloc[1:]
    assert uneven.div(uneven.sum(axis=1), axis=0).std().min() > 0.15
    other = screen("control_of_another_lot", truth_cells=0).plant(7).cells
    assert other.loc[CONTROL].tolist() == [40, 360]
    assert other.iloc[1:, 0].sum() > 0.85 * other.iloc[1:].to_numpy().sum()
    few = screen("few_controls", truth_cells=0).plant(7).cells.loc[CONTROL]
    assert few.between(10, 12).all()
    assert screen("one_batch", truth_cells=0).plant(7).cells.shape[1] == 1
    floor = (
        screen("control_of_another_lot", lot_leak=0.0, fewest_controls=12, truth_cells=0).plant(7).cells.loc[CONTROL]
    )
    assert floor.tolist() == [12, 388]


def test_draw_follows_the_table_of_cells() -> None:
    world = screen("uneven", cells_per_perturbation=(40, 0.6), truth_cells=0).plant(8)
    adata = world.draw(1)
    table = pd.crosstab(adata.obs["perturbation"], adata.obs["batch"]).reindex(world.cells.index)
    np.testing.assert_array_equal(table.to_numpy(), world.cells.to_numpy())
    assert adata.X.dtype == np.float32
    assert adata.X.has_canonical_format
    assert adata.obs_names.is_unique
    assert world.cells.iloc[1:].sum(axis=1).nunique() > 10
    assert not adata.obs["perturbation"].iloc[:50].eq(CONTROL).all()


def test_fixed_closure_keeps_totals() -> None:
    settings = {"n_perturbations": 4, "library_spread": 0.0, "batch_depth": 0.0, "truth_cells": 0}
    adata = draw(9, plant="mt_rise", **{**settings, "closure": "fixed"})
    assert (adata.obs["total"] == 3000).all()
    assert (np.asarray(adata.X.sum(axis=1)).ravel() == 3000).all()
    group = adata.obs["perturbation"].to_numpy()
    for closure, rises in (("relative", False), ("open", True)):
        adata = draw(9, plant="mt_rise", **{**settings, "closure": closure, "count_model": "poisson"})
        total, group = adata.obs["total"].to_numpy(), adata.obs["perturbation"].to_numpy()
        ratio = total[group != CONTROL].mean() / total[group == CONTROL].mean()
        assert (ratio > 1.03) if rises else (abs(ratio - 1) < 0.01)


def test_a_rise_lowers_all_others_by_closure_only() -> None:
    member = screen(plant="mt_rise", **QUICK).plant(10).genes["set"].to_numpy() == "mt"
    for closure in ("open", "relative", "fixed", "none"):
        effects = screen(plant="mt_rise", closure=closure, **QUICK).plant(10).truth["effects"]
        assert (effects[:, member] > 0).all()
        if closure == "none":
            assert np.abs(effects[:, ~member]).max() < 1e-9
        else:
            assert (effects[:, ~member] < 1e-4).mean() > 0.98
            assert np.square(effects[:, ~member]).sum() > 0.02 * np.square(effects).sum()


def test_seeds_reproduce_and_differ() -> None:
    world = screen(plant="axis", n_perturbations=6, **QUICK).plant(11)
    one, same, other = world.draw(1), world.draw(1), world.draw(2)
    assert (one.X != same.X).nnz == 0
    pd.testing.assert_frame_equal(one.obs, same.obs)
    assert (one[other.obs_names].X != other.X).nnz > 0
    again = screen(plant="axis", n_perturbations=6, **QUICK).plant(11)
    np.testing.assert_array_equal(world.truth["effects"], again.truth["effects"])
    assert not np.allclose(world.log_share, screen(plant="axis", n_perturbations=6, **QUICK).plant(12).log_share)


def test_draws_are_independent() -> None:
    world = replace(SMALL, design="one", cells_per_perturbation=400, n_control=400, truth_cells=1024).plant(13)
    means = np.array([normalize(world.draw(seed)).X.mean(axis=0) for seed in range(12)]).reshape(12, -1)
    gap = means - world.truth["means"].mean(axis=0)
    spread = gap / gap.std(axis=0)
    off = (spread @ spread.T / spread.shape[1])[np.triu_indices(12, 1)]
    assert abs(off.mean()) < 0.15


def test_labels_have_streams_of_their_own() -> None:
    world = screen("one_batch", "own", n_perturbations=5, truth_cells=0).plant(14)
    cells = world.cells.copy()
    cells.iloc[1] += 30
    more = replace(world, cells=cells).draw(3)
    base = world.draw(3)
    others = base.obs_names[base.obs["perturbation"] != world.cells.index[1]]
    assert (base[others].X != more[others].X).nnz == 0
    labels = base.obs["perturbation"].to_numpy()
    first, second = (
        normalize(base).X[labels == name].toarray() for name in base.obs["perturbation"].cat.categories[1:3]
    )
    pair = [np.corrcoef(first[i], second[i])[0, 1] for i in range(60)]
    cross = [np.corrcoef(first[i], second[(i + 7) % 60])[0, 1] for i in range(60)]
    assert np.mean(pair) == pytest.approx(np.mean(cross), abs=0.03)


def test_kinds_of_effect_have_streams_of_their_own() -> None:
    own = screen(plant="own", truth_cells=0).plant(15)
    both = screen(plant="own", truth_cells=0, axis_strength=0.2, batch_strength=0.9, closure="none").plant(15)
    np.testing.assert_array_equal(own.log_share, both.log_share)
    np.testing.assert_array_equal(own.cells, both.cells)
    np.testing.assert_allclose(
        both.log_fold - own.log_fold,
        screen(plant="none", truth_cells=0, axis_strength=0.2).plant(15).log_fold,
        atol=1e-12,
    )
    nested = screen("nested", "own", truth_cells=0).plant(15)
    np.testing.assert_array_equal(own.log_fold, nested.log_fold)


def test_axis_and_own() -> None:
    axis = screen(plant="axis", **QUICK).plant(16).truth
    assert axis["axis_share"] > 0.75
    assert axis["common_share"] > 0.6
    strong = screen(plant="few_strong", n_perturbations=12).plant(16).truth
    assert strong["perturbations"]["own"].sum() == 3
    assert not strong["effects"][strong["perturbations"]["no_effect"]].any()
    assert strong["axis_share"] < 0.12
    free = screen(plant="own_strong", closure="none", **QUICK).plant(16).truth
    product = free["effects"] @ free["effects"].T
    scale = np.sqrt(np.diag(product))
    assert np.abs(product / np.outer(scale, scale) - np.eye(len(product))).max() < 1e-6
    mixed = screen(plant="axis", axis_signs="mixed", **QUICK).plant(16).truth
    assert mixed["common_share"] < 0.4


def test_pathway_has_carriers() -> None:
    table = screen(plant="pathway", **QUICK).plant(17).truth["perturbations"]
    assert table["axis"].sum() == 5
    assert not (table["axis"] & table["own"]).any()
    assert (table["axis"] | table["own"]).all()
    alone = screen(plant="pathway_alone", **QUICK).plant(17).truth
    assert alone["perturbations"]["no_effect"].sum() == 35
    assert alone["axis_by_perturbation"][alone["perturbations"]["axis"]].sum() > 0.95 * alone["squared_effect"].sum()


def test_sets_mediators_depth_and_targets() -> None:
    sets = screen(plant="sets", own_strength=0.0, closure="none", **QUICK).plant(18).truth
    assert sets["perturbations"]["sets"].sum() == 28
    assert sum(sets["set_shares"][name] for name in ("mt", "ribo", "stress")) == pytest.approx(1)
    mediators = screen(plant="mediators", **QUICK).plant(18).truth
    values = np.linalg.svd(mediators["log_fold"], compute_uv=False)
    assert np.square(values[:3]).sum() > 0.97 * np.square(values).sum()
    assert mediators["perturbations"]["mediators"].str.len().min() > 0
    depth = screen(plant="depth_only", **QUICK).plant(18).truth
    assert not depth["log_fold"].any()
    assert (depth["squared_effect"] > 0).all()
    assert not depth["perturbations"]["no_effect"].any()
    world = screen(plant="target_gene_only", **QUICK).plant(18)
    effects = world.truth["effects"]
    own = np.equal.outer(np.array(world.truth["labels"][1:]), np.array(world.truth["genes"]))
    assert (effects[own] < 0).all()
    assert np.abs(effects[~own]).max() < 1e-9
    batch = screen(plant="batch_only", **QUICK).plant(18).truth
    assert not batch["effects"].any()
    assert np.square(batch["effects_pooled"]).sum(axis=1).mean() > 0.5


def test_tails_and_density() -> None:
    top = {}
    for tails in ("equal", "gamma", "lognormal", "pareto"):
        worlds = [screen(plant="own", tails=tails, n_perturbations=80, truth_cells=0).plant(seed) for seed in range(5)]
        size = np.array([np.square(world.log_fold).mean(axis=1) for world in worlds])
        assert np.median(size.mean(axis=1)) == pytest.approx(0.12**2, rel=0.25)
        top[tails] = np.mean(np.sort(size, axis=1)[:, -4:].sum(axis=1) / size.sum(axis=1))
    assert top["equal"] < top["gamma"] < top["lognormal"] < top["pareto"]
    sparse = screen(plant="own_sparse", truth_cells=0).plant(19).log_fold
    assert ((sparse != 0).sum(axis=1) == 15).all()
    assert np.abs(sparse).max() <= 3


def test_noise_and_states() -> None:
    config = Screen(
        n_genes=100, n_perturbations=1, n_control=4000, design="one", closure="none", library_spread=0.0, n_states=0,
        truth_cells=0,
    )  # fmt: skip
    for model in ("negative_binomial", "poisson_lognormal"):
        world = replace(config, count_model=model).plant(20)
        adata = world.draw(0)
        counts = adata[adata.obs["perturbation"] == CONTROL].X.toarray().astype(float)
        mean, variance = counts.mean(axis=0), counts.var(axis=0)
        high = mean > 5
        dispersion = (variance - mean)[high] / np.square(mean[high])
        assert np.median(dispersion / world.genes["dispersion"].to_numpy()[high]) == pytest.approx(1, abs=0.1)
        np.testing.assert_allclose(mean[high], 3000 * world.genes["share"].to_numpy()[high], rtol=0.1)
    tops = []
    for n_states in (0, 3):
        adata = replace(config, n_states=n_states, state_strength=0.4).plant(20).draw(0)
        values = normalize(adata).X.toarray()
        values = (values - values.mean(axis=0)) / values.std(axis=0)
        tops.append(np.linalg.eigvalsh(values.T @ values / len(values))[-1])
    assert tops[1] > 2 * tops[0]


def test_genes_and_targets() -> None:
    adata = draw(21, n_genes=300, n_perturbations=40, truth_cells=0)
    assert adata.var_names.str.startswith("MT-").sum() == 13
    assert adata.var_names.str.startswith(("RPL", "RPS")).sum() == 36
    assert set(adata.obs["perturbation"].cat.categories) - {CONTROL} <= set(adata.var_names)
    assert adata.var_names.is_unique
    assert adata.var["share"].sum() == pytest.approx(1)
    small = screen("small_panel", n_perturbations=200, truth_cells=0).plant(21)
    assert small.perturbations["target_in_panel"].sum() == 15
    assert len(screen(n_genes=2000, n_perturbations=200, truth_cells=0).plant(21).genes) == 2000


def test_normalize_and_file(tmp_path: Path) -> None:
    raw = draw(22, shape="small_panel", plant="axis")
    adata = normalize(raw, keep_counts=True)
    counts = raw.X.toarray()
    np.testing.assert_allclose(adata.X.toarray(), np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True)), rtol=1e-5)
    assert (adata.layers["counts"] != raw.X).nnz == 0
    adata.write_h5ad(tmp_path / "screen.h5ad")
    back = ad.read_h5ad(tmp_path / "screen.h5ad").uns["truth"]
    np.testing.assert_array_equal(back["effects"], raw.uns["truth"]["effects"])
    pd.testing.assert_frame_equal(back["cells"], raw.uns["truth"]["cells"], check_names=False)


@pytest.mark.parametrize(("total", "share"), [(60.0, 0.3), (500.0, 0.01), (3000.0, 0.2), (3000.0, 1e-5), (400.0, 0.9)])
def test_expectation_of_counts(total: float, share: float) -> None:
    rng = np.random.default_rng(23)
    count, rest = rng.poisson(total * share, 400_000), rng.poisson(total * (1 - share), 400_000)
    fixed = rng.binomial(int(total), share, 400_000)
    for kind, values in (
        ("poisson_total", np.log1p(1e4 * count / (count + rest))),
        ("poisson", np.log1p(1e4 * count / total)),
        ("binomial", np.log1p(1e4 * fixed / total)),
    ):
        expected = expectation_table(kind).expect(np.log([total]), np.log([[share]]))[0, 0]
        assert expected == pytest.approx(values.mean(), abs=4 * values.std() / 600 + 1e-4)


def test_shares() -> None:
    effects = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    share, own = axis_share(effects)
    np.testing.assert_allclose(own, [0.5, 0.5, 0.0])
    assert share == pytest.approx(1 / 3)
    assert common_share(effects) == pytest.approx(1 / 3)
    assert set_share(effects, np.array([True, False])) == pytest.approx(2 / 3)


def test_tables_and_wrong_settings() -> None:
    for shape in DESIGNS:
        for plant in PLANTED:
            assert screen(shape, plant).n_genes >= 30
    for wrong in ({"design": "none"}, {"set_changes": (("x", 1.0),)}, {"n_genes": 3}, {"escape": 2.0}):
        with pytest.raises(ValueError, match=r"must|no gene set|needs"):
            replace(Screen(), **wrong)
