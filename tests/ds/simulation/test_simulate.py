import anndata as ad
import numpy as np
import pytest
from scipy import sparse

from scpertbias import ds

TRUTH = "scpertbias_truth"


def profiles(screen, layer=None):
    """Mean and squared standard error of each group, by hand."""
    matrix = screen.X if layer is None else screen.layers[layer]
    labels = screen.obs["perturbation"].astype(str).to_numpy()
    out = {}
    for label in np.unique(labels):
        values = matrix[labels == label].toarray().astype(np.float64)
        out[label] = (values.mean(axis=0), values.var(axis=0, ddof=1) / len(values))
    return out


@pytest.fixture(scope="module")
def screen():
    return ds.simulate(60_000, 200, 12, inert_fraction=0.2, axis_strength=0.5)


def test_expected_effects_are_those_of_many_cells(screen):
    truth, observed = screen.uns[TRUTH], profiles(screen)
    control, error = observed["non-targeting"]
    # A gene that some hundred cells of a group show twice has no normal mean: it is left out.
    seen = truth["expected_control"] > 0.02
    assert seen.mean() > 0.9
    assert np.mean(((control - truth["expected_control"]) ** 2 / error)[seen]) == pytest.approx(1, abs=0.35)
    z = []
    for row, label in enumerate(truth["perturbations"]):
        mean, own_error = observed[label]
        z.append((mean - control - truth["expected_delta"][row]) / np.sqrt(own_error + error))
    z = np.array(z)[:, seen]
    assert np.abs(z).max() < 5
    assert np.mean(z**2) == pytest.approx(1, abs=0.15)
    # The test is sharp: without the effects it would fail by far.
    assert np.mean((z + truth["expected_delta"][:, seen] / np.sqrt(error[seen])) ** 2) > 3


def test_shares_are_those_of_the_expected_effects(screen):
    truth = screen.uns[TRUTH]
    delta = truth["expected_delta"].astype(float)
    energy = (delta**2).sum()
    mt = screen.var_names.str.startswith("MT-")
    assert truth["share"]["mt"] == pytest.approx((delta[:, mt] ** 2).sum() / energy, rel=1e-5)
    ribo = screen.var_names.str.match(r"RP[SL]") & ~screen.var_names.isin(["RPS6KB2", "RPS19BP1"])
    assert truth["share"]["ribo"] == pytest.approx((delta[:, ribo] ** 2).sum() / energy, rel=1e-5)
    others = delta.sum(axis=0) - delta  # each perturbation on the axis of the others
    size = np.linalg.norm(others, axis=1)
    own = (delta * others).sum(axis=1) / np.where(size > 0, size, np.inf)
    assert truth["share"]["systematic"] == pytest.approx((own**2).sum() / energy, rel=1e-5)


def test_values_and_labels(screen):
    assert screen.shape == (60_000, 200)
    counts = screen.layers["counts"]
    for matrix in (screen.X, counts):
        assert matrix.format == "csr"
        assert matrix.dtype == np.float32
        assert matrix.has_sorted_indices
        assert matrix.data.min() > 0
    dense = counts[:500].toarray()
    total = dense.sum(axis=1)
    np.testing.assert_allclose(screen.X[:500].toarray(), np.log1p(1e4 * dense / total[:, None]), rtol=1e-5)
    np.testing.assert_array_equal(screen.obs["total_counts"][:500], total)
    mt = screen.var_names.str.startswith("MT-")
    np.testing.assert_allclose(screen.obs["pct_counts_mt"][:500], 100 * dense[:, mt].sum(axis=1) / total, rtol=1e-5)
    ribo = screen.var_names.str.match(r"RP[SL]") & ~screen.var_names.isin(["RPS6KB2", "RPS19BP1"])
    np.testing.assert_allclose(screen.obs["pct_counts_ribo"][:500], 100 * dense[:, ribo].sum(axis=1) / total, rtol=1e-5)

    cells = screen.obs["perturbation"].value_counts()
    assert len(cells) == 13
    assert cells["non-targeting"] == 4800
    guide = screen.obs["guide"].astype(str)
    assert (guide.str.rsplit("_", n=1).str[0] == screen.obs["perturbation"].astype(str)).all()
    assert screen.obs.groupby("perturbation", observed=True)["guide"].nunique().drop("non-targeting").eq(2).all()
    assert screen.obs["gem_group"].unique().tolist() == ["1"]


def test_the_default_panel_is_as_dense_as_a_real_screen():
    screen = ds.simulate(1500, keep_counts=False)
    assert screen.shape == (1500, 1187)
    assert screen.obs["perturbation"].nunique() == 151
    assert 0.3 < screen.X.nnz / np.prod(screen.shape) < 0.5
    assert screen.obs["total_counts"].mean() == pytest.approx(3000, rel=0.05)
    assert "counts" not in screen.layers
    deeper = ds.simulate(500, 300, 5, depth=2000)
    assert deeper.obs["total_counts"].mean() == pytest.approx(2000, rel=0.1)


def test_knockdown_lowers_the_target_itself():
    screen = ds.simulate(20_000, 1187, 40, knockdown=0.1, inert_fraction=0, specific_strength=0.1, axis_strength=0.1)
    counts, truth = profiles(screen, "counts"), screen.uns[TRUTH]
    left = []
    for target in truth["perturbations"]:
        if target in screen.var_names:
            gene = screen.var_names.get_loc(target)
            left.append((counts[target][0][gene], counts["non-targeting"][0][gene]))
    perturbed, control = np.array(left).sum(axis=0)
    assert len(left) >= 3
    assert perturbed / control == pytest.approx(0.1, abs=0.03)


def test_without_strengths_there_is_no_effect():
    screen = ds.simulate(20_000, 150, 20, axis_strength=0, specific_strength=0)
    truth, observed = screen.uns[TRUTH], profiles(screen)
    assert truth["inert"].all()
    assert (truth["expected_delta"] == 0).all()
    assert np.isnan(truth["share"]["mt"])
    control, error = observed["non-targeting"]
    seen = truth["expected_control"] > 0.1
    z = [(observed[label][0] - control) / np.sqrt(observed[label][1] + error) for label in truth["perturbations"]]
    assert np.abs(np.array(z)[:, seen]).max() < 5


def test_control_cells_share_the_axis():
    def correlation(cell_axis_sd):
        screen = ds.simulate(6000, 400, 2, control_fraction=0.9, cell_axis_sd=cell_axis_sd, depth_sd=0.0)
        counts = screen.layers["counts"][(screen.obs["perturbation"] == "non-targeting").to_numpy()].toarray()
        mt = screen.var_names.str.startswith("MT-")
        ribo = screen.var_names.str.match(r"RP[SL]")
        return np.corrcoef(np.log1p(counts[:, mt].sum(axis=1)), np.log1p(counts[:, ribo].sum(axis=1)))[0, 1]

    assert correlation(0.3) < -0.15
    assert abs(correlation(0.0)) < 0.06


def test_batches_differ_and_leave_the_effects_alone():
    screen = ds.simulate(20_000, 100, 3, n_batches=3, batch_strength=0.3, inert_fraction=0)
    assert sorted(screen.obs["gem_group"].unique()) == ["1", "2", "3"]
    assert screen.obs["gem_group"].dtype == "category"
    labels = screen.obs["perturbation"].astype(str)
    means = {
        (label, s): screen.X[((labels == label) & (screen.obs["gem_group"] == s)).to_numpy()].toarray().mean(axis=0)
        for label in labels.unique()
        for s in "123"
    }
    assert np.abs(means["non-targeting", "1"] - means["non-targeting", "2"]).mean() > 0.08
    truth = screen.uns[TRUTH]
    for row, label in enumerate(truth["perturbations"]):
        within = np.mean([means[label, s] - means["non-targeting", s] for s in "123"], axis=0)
        assert np.corrcoef(within, truth["expected_delta"][row])[0, 1] > 0.8
    same = ds.simulate(20_000, 100, 3, n_batches=3, batch_strength=0.0, inert_fraction=0)
    np.testing.assert_array_equal(truth["expected_delta"], same.uns[TRUTH]["expected_delta"])


def test_threads_do_not_matter_and_the_seed_does():
    one, two = (ds.simulate(2000, 80, 6, n_jobs=n_jobs) for n_jobs in (1, 3))
    np.testing.assert_array_equal(one.X.data, two.X.data)
    np.testing.assert_array_equal(one.uns[TRUTH]["expected_delta"], two.uns[TRUTH]["expected_delta"])
    assert one.obs.equals(two.obs)
    other = ds.simulate(2000, 80, 6, rng=1)
    assert (other.X != one.X).nnz > 0
    assert set(other.uns[TRUTH]["perturbations"]) != set(one.uns[TRUTH]["perturbations"])
    generator = ds.simulate(2000, 80, 6, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(generator.X.data, one.X.data)


def test_the_truth_does_not_depend_on_the_number_of_cells():
    small, large = ds.simulate(200, 80, 6), ds.simulate(3000, 80, 6, control_fraction=0.3)
    np.testing.assert_array_equal(small.uns[TRUTH]["expected_delta"], large.uns[TRUTH]["expected_delta"])
    assert list(small.uns[TRUTH]["perturbations"]) == list(large.uns[TRUTH]["perturbations"])


@pytest.mark.parametrize("inert_fraction", [0.1, 1.0])
@pytest.mark.parametrize("suffix", ["h5ad", "zarr"])
def test_survives_a_file(tmp_path, inert_fraction, suffix):
    screen = ds.simulate(300, 60, 5, inert_fraction=inert_fraction, n_batches=2)
    path = tmp_path / f"screen.{suffix}"
    getattr(screen, f"write_{suffix}")(path)
    again = getattr(ad, f"read_{suffix}")(path)
    assert sparse.issparse(again.X)
    np.testing.assert_array_equal(again.X.data, screen.X.data)
    assert again.obs.equals(screen.obs)
    assert again.uns[TRUTH].keys() == screen.uns[TRUTH].keys()
    for name, value in screen.uns[TRUTH].items():
        if isinstance(value, dict):
            assert again.uns[TRUTH][name] == pytest.approx(value, nan_ok=True)
        else:
            np.testing.assert_array_equal(again.uns[TRUTH][name], value)


@pytest.mark.parametrize(("n_cells", "n_perturbations"), [(10, 1), (30, 27), (2000, 722)])
def test_every_perturbation_has_cells(n_cells, n_perturbations):
    screen = ds.simulate(n_cells, 20, n_perturbations)
    assert screen.n_obs == n_cells
    assert screen.obs["perturbation"].nunique() == n_perturbations + 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_cells": 3}, "n_cells must be an integer of at least 10, found 3"),
        ({"n_genes": 2.5}, "n_genes must be an integer"),
        ({"n_perturbations": 0}, "n_perturbations must be an integer of at least 1"),
        ({"n_batches": 0}, "n_batches must be an integer of at least 1"),
        ({"n_cells": 100, "n_perturbations": 95}, "n_perturbations=95 is more than the 92 cells"),
        ({"axis_strength": -1}, "axis_strength must lie between 0 and 5, found -1"),
        ({"axis_strength": float("nan")}, "axis_strength must lie between 0 and 5, found nan"),
        ({"inert_fraction": 1.2}, "inert_fraction must lie between 0 and 1"),
        ({"knockdown": 0}, "it must be the remaining share of expression"),
        ({"control_fraction": 1}, "control_fraction must lie between 0 and 1"),
        ({"depth": float("inf")}, "it must be a mean number of UMIs"),
        ({"n_genes": 50_000}, "n_genes=50000 is more than"),
    ],
)
def test_a_parameter_that_makes_no_screen_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        ds.simulate(**({"n_cells": 100, "n_genes": 20, "n_perturbations": 3} | changes))
