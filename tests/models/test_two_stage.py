import numpy as np
import pytest

import scpertbias as spb

ALPHA, GAMMA, RANK = 0.4, 30.0, 3


def both_stages(x, n, rank, genes, perturbations, smooth_perturbations, dense):
    """Low rank of the unweighted centered training means, then the dense GRN-Linear on the residual."""
    trained = n > 0
    center = x[trained].mean(axis=0)
    u, s, vt = np.linalg.svd(x[trained] - center, full_matrices=False)
    levels = np.zeros((len(n), rank))
    levels[trained] = u[:, :rank] * s[:rank]
    if smooth_perturbations:
        unseen = ~trained
        left = GAMMA * perturbations[np.ix_(unseen, unseen)] + ALPHA * np.eye(unseen.sum())
        levels[unseen] = np.linalg.solve(left, -GAMMA * perturbations[np.ix_(unseen, trained)] @ levels[trained])
    low = levels @ vt[:rank]
    w, b = dense(np.where(trained[:, None], x - center - low, 0), n, ALPHA, GAMMA, genes, perturbations)
    return center + low + w + b, low + w


@pytest.mark.parametrize("axis", ["genes", "perturbations", "both"])
def test_equals_both_stages_solved_densely(profiles, net, oracle, axis):
    adata = profiles.copy()
    spb.tl.fit_two_stage(adata, net, n_components=RANK, axis=axis, alpha=ALPHA, gamma=GAMMA)
    found = spb.get.predictions(adata, "two_stage")
    names = list(found.index)
    n, x = oracle.means_and_cells(adata, names)
    over_genes = oracle.laplacian(net, list(adata.var_names), True) if axis != "perturbations" else np.zeros((16, 16))
    graph = oracle.laplacian(net, ["", *names[1:]], True) if axis != "genes" else np.zeros((len(names),) * 2)
    expected, coef = both_stages(x, n, RANK, over_genes, graph, axis != "genes", oracle.dense)
    np.testing.assert_allclose(found.to_numpy(), expected, rtol=0, atol=1e-8)
    attributions = spb.get.attributions(adata, "two_stage").to_numpy().T
    trained = n > 0 if axis == "genes" else np.ones(len(n), dtype=bool)
    np.testing.assert_allclose(attributions[trained], np.abs(coef[trained]), atol=1e-6)


def test_the_rank_is_cut_to_what_there_is(profiles, net):
    adata = profiles.copy()
    spb.tl.fit_two_stage(adata, net, n_components=50)
    n_train = int((adata.obs["split"] == "train").sum())
    assert adata.uns["scpertbias"]["models"]["two_stage"]["params"]["n_components"] == n_train - 1


@pytest.mark.parametrize(
    "wrong", [{"axis": "gene"}, {"laplacian": "x"}, {"gamma": -1.0}, {"gamma": [0.1, 1.0]}, {"n_components": 0}]
)
def test_wrong_parameters(profiles, net, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        spb.tl.fit_two_stage(profiles, net, **wrong)
