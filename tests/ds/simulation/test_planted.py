import numpy as np
import pytest

from scpertbias.ds._simulation.panel import gene_panel, set_members
from scpertbias.ds._simulation.planted import plant_effects


def plant(n_perturbations=60, *, n_genes=600, seed=0, **changes):
    values = {
        "axis_strength": 0.3, "specific_strength": 0.5, "inert_fraction": 0.1, "n_modules": 4, "module_share": 0.5,
        "knockdown": 0.2,
    }  # fmt: skip
    return plant_effects(gene_panel(n_genes), n_perturbations, **(values | changes), rng=np.random.default_rng(seed))


def test_the_axis_lifts_mitochondrial_genes_and_lowers_ribosomal_ones():
    axis, genes = plant().axis, gene_panel(600)["gene"]
    assert axis[genes.str.startswith("MT-")].min() > 0.5
    assert axis[genes.isin(set_members("ribo"))].max() < -0.3
    stress = genes.isin(set_members("heat_shock")) | genes.isin(set_members("upr_isr"))
    assert axis[stress & ~genes.isin(set_members("ribo"))].min() > 0.3
    assert (axis != 0).sum() < 120


def test_the_fold_changes_are_axis_and_program_and_knockdown():
    effects = plant()
    genes = gene_panel(600)["gene"].to_numpy()
    by_hand = 0.3 * effects.loading[:, None] * effects.axis
    for row, column, value in zip(effects.program_row, effects.program_gene, effects.program_lfc, strict=True):
        by_hand[row, column] += value
    for row, target in enumerate(effects.targets):
        if target in genes and not effects.inert[row]:
            by_hand[row, list(genes).index(target)] = np.log(0.2)
    np.testing.assert_allclose(effects.lfc, by_hand, atol=1e-12)
    assert (effects.lfc[:, np.isin(genes, effects.targets)] <= np.log(0.2) + 1e-9).any()


def test_inert_perturbations_do_nothing():
    effects = plant(inert_fraction=0.25)
    assert effects.inert.sum() == 15
    assert (effects.lfc[effects.inert] == 0).all()
    assert (np.abs(effects.lfc[~effects.inert]).sum(axis=1) > 0).all()
    assert (plant(axis_strength=0, specific_strength=0).lfc == 0).all()


def test_programs_have_the_size_asked_for_and_stay_off_the_axis():
    effects = plant(400, inert_fraction=0)
    sizes = np.bincount(effects.program_row)
    assert sizes.min() >= 20
    assert sizes.max() <= 40
    assert (effects.axis[effects.program_gene] == 0).all()
    assert effects.program_lfc.std() == pytest.approx(0.5, rel=0.25)
    assert effects.loading.mean() == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize(("module_share", "low", "high"), [(0.0, -0.05, 0.05), (0.5, 0.3, 0.7), (1.0, 0.8, 1.0)])
def test_perturbations_of_one_module_resemble_each_other(module_share, low, high):
    effects = plant(80, module_share=module_share, axis_strength=0, inert_fraction=0, knockdown=1.0)
    correlation = np.corrcoef(effects.lfc)
    same = effects.module[:, None] == effects.module
    np.fill_diagonal(same, val=False)
    other = ~same & ~np.eye(80, dtype=bool)
    assert low < correlation[same].mean() < high
    assert abs(correlation[other].mean()) < 0.05


def test_strengths_scale_the_same_draws():
    weak, strong = plant(specific_strength=0.2), plant(specific_strength=0.4, axis_strength=0.1)
    assert list(weak.targets) == list(strong.targets)
    np.testing.assert_allclose(strong.program_lfc, 2 * weak.program_lfc)
    np.testing.assert_array_equal(weak.loading, strong.loading)
    assert list(plant(seed=1).targets) != list(weak.targets)


def test_measured_targets_are_genes_off_the_axis():
    effects, genes = plant(60, measured_targets=True), gene_panel(600)["gene"].to_numpy()
    columns = [list(genes).index(target) for target in effects.targets]
    assert len(set(columns)) == 60
    assert (effects.axis[columns] == 0).all()
    alive = np.flatnonzero(~effects.inert)
    np.testing.assert_allclose(effects.lfc[alive, np.array(columns)[alive]], np.log(0.2))
    assert np.array_equal(effects.targets, plant(60, measured_targets=True, axis_strength=0.9).targets)
    with pytest.raises(ValueError, match="omit measured_targets"):
        plant(60, n_genes=50, measured_targets=True)
