"""A screen with a net, and the dense algebra that graph models are held against."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb


@pytest.fixture(scope="session")
def oracle():
    """The Laplacian of a net, training means with their cells, and the dense solution of GRN-Linear."""
    return SimpleNamespace(laplacian=_laplacian, means_and_cells=_means_and_cells, dense=_dense)


@pytest.fixture(scope="module")
def profiles():
    adata = spb.ds.simulate(900, 16, 9, rng=5)
    names = sorted(set(adata.obs["perturbation"]) - {"non-targeting"})
    spb.pp.split(adata, test=names[:2], val=names[2:4])
    return spb.pp.profiles(adata)


@pytest.fixture(scope="module")
def net(profiles):
    rng = np.random.default_rng(0)
    targets = sorted(set(profiles.obs["perturbation"]) - {"non-targeting"})
    genes = [*profiles.var_names[:7], *targets]
    pairs = {(a, b) for a, b in rng.choice(genes, (60, 2)) if a != b}
    return pd.DataFrame(sorted(pairs), columns=["source", "target"]).assign(
        weight=lambda t: rng.uniform(0.2, 1, len(t))
    )


def _laplacian(net, nodes, normalized):
    a = np.zeros((len(nodes), len(nodes)))
    place = {n: i for i, n in enumerate(nodes)}
    for s, t, w in net.itertuples(index=False):
        if s in place and t in place and s != t:
            i, j = place[s], place[t]
            a[i, j] = a[j, i] = max(a[i, j], abs(w))
    d = a.sum(axis=1)
    if not normalized:
        return np.diag(d) - a
    root = np.divide(1, np.sqrt(d), out=np.zeros_like(d), where=d > 0)
    return np.diag((d > 0).astype(float)) - root[:, None] * a * root


def _means_and_cells(profiles, names):
    train = profiles[(profiles.obs["split"] == "train").to_numpy()]
    n, x = np.zeros(len(names)), np.zeros((len(names), profiles.n_vars))
    for name, k, row in zip(train.obs["perturbation"], train.obs["n_cells"], train.X, strict=True):
        n[names.index(name)], x[names.index(name)] = k, row
    return n, x


def _dense(x, n, alpha, gamma, genes, perturbations):
    """Minimize Σ n‖x_p − w_p − b‖² + α‖W‖² + γ Tr(W L_G Wᵀ) + γ Tr(Wᵀ L_P W) over (W, b) as one linear system."""
    p, g = x.shape
    eye = np.eye(g)
    ww = np.kron(np.diag(n + alpha), eye) + gamma * (np.kron(np.eye(p), genes) + np.kron(perturbations, eye))
    wb = np.kron(n[:, None], eye)
    system = np.block([[ww, wb], [wb.T, n.sum() * eye]])
    right = np.concatenate([(n[:, None] * x).ravel(), (n[:, None] * x).sum(axis=0)])
    solution = np.linalg.solve(system, right)
    w, b = solution[: p * g].reshape(p, g), solution[p * g :]
    return w, b
