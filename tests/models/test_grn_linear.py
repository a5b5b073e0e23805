"""Through the public function, against the dense normal equations of the whole problem."""

import numpy as np
import pytest

import scpertbias as spb


@pytest.mark.parametrize("axis", ["genes", "perturbations", "both"])
@pytest.mark.parametrize("kind", ["normalized", "unnormalized"])
def test_equals_the_dense_solution(profiles, net, oracle, axis, kind):
    adata = profiles.copy()
    spb.tl.fit_grn_linear(adata, net, axis=axis, alpha=0.3, gamma=40.0, laplacian=kind)
    found = spb.get.predictions(adata, "grn_linear")
    names = list(found.index)
    n, x = oracle.means_and_cells(adata, names)
    normalized = kind == "normalized"
    over_genes = (
        oracle.laplacian(net, list(adata.var_names), normalized) if axis != "perturbations" else np.zeros((16, 16))
    )
    nodes = ["", *names[1:]]
    over_perturbations = oracle.laplacian(net, nodes, normalized) if axis != "genes" else np.zeros((len(names),) * 2)
    w, b = oracle.dense(x, n, 0.3, 40.0, over_genes, over_perturbations)
    np.testing.assert_allclose(found.to_numpy(), w + b, rtol=0, atol=1e-8)
    attributions = spb.get.attributions(adata, "grn_linear").to_numpy().T
    trained = n > 0 if axis == "genes" else np.ones(len(n), dtype=bool)
    np.testing.assert_allclose(attributions[trained], np.abs(w[trained]), atol=1e-6)
    assert np.isnan(attributions[~trained]).all()
    note = spb.get.models(adata)["note"].item()
    assert note.startswith("same prediction") == (axis == "genes")


def test_the_smallest_validation_error_is_taken(profiles, net):
    adata = profiles.copy()
    gammas = [0.0, 0.01, 0.3, 5.0]
    scale = np.median(adata.obs["n_cells"][(adata.obs["split"] == "train") & ~adata.obs["is_reference"]])
    val = adata[(adata.obs["split"] == "val").to_numpy()]
    errors = {}
    for gamma in gammas:
        spb.tl.fit_grn_linear(adata, net, axis="perturbations", gamma=gamma * scale, key_added=f"g{gamma}")
        table = spb.get.predictions(adata, f"g{gamma}")
        errors[gamma] = ((table.loc[val.obs["perturbation"]].to_numpy() - val.X) ** 2).mean()
    best = min(errors, key=errors.get)
    assert len(set(errors.values())) == 4
    spb.tl.fit_grn_linear(adata, net, axis="perturbations", gamma=gammas, key_added="chosen")
    assert adata.uns["scpertbias"]["models"]["chosen"]["params"]["gamma"] == pytest.approx(best * scale)
    np.testing.assert_array_equal(adata.layers["chosen"], adata.layers[f"g{best}"])
    turned = adata.copy()  # the test perturbations have no say
    turned.X[(turned.obs["split"] == "test").to_numpy()] += 1
    spb.tl.fit_grn_linear(turned, net, axis="perturbations", gamma=gammas, key_added="chosen")
    np.testing.assert_array_equal(turned.layers["chosen"], adata.layers["chosen"])


def test_several_gammas_need_a_validation_split(profiles, net):
    adata = profiles.copy()
    adata.obs["split"] = "train"
    with pytest.raises(ValueError, match="validation split"):
        spb.tl.fit_grn_linear(adata, net, gamma=[0.1, 1.0])
    assert "grn_linear" not in adata.layers


@pytest.mark.parametrize(
    "wrong", [{"axis": "gene"}, {"laplacian": "random"}, {"gamma": -1.0}, {"gamma": []}, {"alpha": -1}]
)
def test_wrong_parameters(profiles, net, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        spb.tl.fit_grn_linear(profiles, net, **wrong)


def test_profiles_need_a_net(profiles):
    with pytest.raises(ValueError, match="coexpression_net"):
        spb.tl.fit_grn_linear(profiles.copy())


def test_cells_make_their_own_net():
    adata = spb.ds.simulate(900, 60, 5, cell_axis_sd=0.4, rng=1)
    own = spb.tl.fit_grn_linear(adata, gamma=100.0, copy=True)
    given = spb.tl.fit_grn_linear(adata, spb.pp.coexpression_net(adata), gamma=100.0, copy=True)
    np.testing.assert_array_equal(own.layers["grn_linear"], given.layers["grn_linear"])
    assert not np.allclose(own.layers["grn_linear"], spb.tl.fit_ridge(adata, copy=True).layers["ridge"], atol=1e-4)
