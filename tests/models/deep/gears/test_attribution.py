import numpy as np
import pytest

from scpertbias._models.deep.gears.attribution import attributions
from scpertbias._models.deep.gears.graph import Edges, PerturbationGraph


@pytest.fixture(params=[False, True])
def network(request):
    import torch

    from scpertbias._models.deep.gears.network import Network

    rng = np.random.default_rng(0)
    edges = Edges(np.array([[0, 1, 2, 5], [1, 0, 3, 4]]), rng.uniform(0.4, 1, 4).astype(np.float32))
    nodes = PerturbationGraph(
        ("A", "B", "C"), Edges(np.array([[0], [1]]), np.ones(1, np.float32)), ((), (0,), (1, 2)), np.ones(3, bool), ()
    )
    torch.manual_seed(0)
    return Network(edges, nodes, 6, hidden_size=5, fix_batching=request.param, device=torch.device("cpu"))


@pytest.mark.gears
def test_the_input_gradient_is_one_hot(network):
    importance = attributions(network, [(0,), (1, 2)], 4, np.ones(6), kind="input_gradient")
    np.testing.assert_allclose(importance, np.eye(6)[[4, 4]], atol=1e-7)


@pytest.mark.gears
def test_the_embedding_gradient_is_a_finite_difference(network):
    import torch

    nodes = [(0,), (1, 2)]
    network.shifts(nodes)
    weight = network.module.gene_emb.weight
    with torch.no_grad():
        weight *= 0.5  # away from the norm that the embedding is cut to
    network.module.double()
    network.edges = (network.edges[0], network.edges[1].double())
    network._copies = {1: network.edges}
    network.module.G_sim_weight = network.module.G_sim_weight.double()
    control = np.ones(6)
    importance = attributions(network, nodes, 4, control, kind="gene_embedding")
    assert (importance > 0).all()

    def predicted(mine):
        with torch.no_grad():
            rows = network(torch.ones((300, 6), dtype=torch.float64), [mine] * 300, each=network.fix_batching)
        return rows[:, 4].mean().item()

    step = 1e-6
    for i, mine in enumerate(nodes):
        gradient = np.zeros(tuple(weight.shape))
        for at in np.ndindex(*weight.shape):
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    weight[at] += sign * step
                values.append(predicted(mine))
                with torch.no_grad():
                    weight[at] -= sign * step
            gradient[at] = (values[0] - values[1]) / (2 * step)
        np.testing.assert_allclose(importance[i], np.linalg.norm(gradient, axis=1), rtol=1e-3, atol=1e-8)
