import numpy as np
import pytest

from scpertbias._models.deep.data import read as read_cells
from scpertbias._models.deep.scgpt.model import build
from scpertbias._models.deep.scgpt.pretrained import Checkpoint, Sizes
from scpertbias._models.deep.scgpt.run import _solve, plan_training

pytestmark = [
    pytest.mark.scgpt,
    pytest.mark.filterwarnings("ignore:.*neither measured nor perturbed in training"),
    pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors"),  # the fast path, in the package run by hand
]
SETTINGS = {
    "max_genes": 100,
    "d_model": 8,
    "n_layers": 1,
    "n_heads": 2,
    "missing_target": "token",
    "n_control_cells": 10**6,
    "attribution": "gradient_x_embedding",
    "n_attribution_cells": 5,
}


@pytest.fixture
def cells(screen, data):
    return read_cells(screen, data, function="fit")


def plan_of(cells, checkpoint=None, **settings):
    return plan_training({**SETTINGS, **settings}, cells, checkpoint, seed=0, device=_cpu())


def _cpu():
    import torch

    return torch.device("cpu")


def solved(plan):
    module = build(plan.sizes, plan.vocabulary, seed=0)
    return module, *_solve(plan, module)


def predicted(plan):
    return [p for p, name in enumerate(plan.cells.screen.names) if p and name not in plan.cannot]


def by_hand(plan, module, p, rows):
    """The package's model on control cells, one flagged token more for each target that is not measured."""
    import torch

    cells, tokens = plan.cells, plan.tokens
    extra = [plan.vocabulary[g] for g in cells.screen.targets[p] if g not in cells.screen.symbols]
    values = torch.tensor(np.hstack([cells.dense(rows), np.zeros((len(rows), len(extra)), np.float32)]))
    ids = torch.tensor([*(plan.vocabulary[g] for g in cells.screen.symbols), *extra]).repeat(len(rows), 1)
    flags = torch.zeros_like(ids)
    flags[:, [g in cells.screen.targets[p] for g in cells.screen.symbols] + [True] * len(extra)] = 1
    module.eval()
    out = module(ids, values, flags, src_key_padding_mask=torch.zeros_like(values, dtype=torch.bool))
    return out["mlm_output"][:, : len(tokens.genes)]


def test_a_prediction_is_the_packages_mean_over_all_control_cells(cells):
    import torch

    plan = plan_of(cells)
    module, solution, more = solved(plan)
    rows = cells.order[cells.code[cells.order] == 0]
    assert 4 < len(predicted(plan)) < len(cells.screen.names) - 1
    for p in predicted(plan):
        with torch.no_grad():
            theirs = by_hand(plan, module, p, rows).double().mean(dim=0)
        np.testing.assert_allclose(solution.predictions[p], theirs, rtol=0, atol=1e-6)
    np.testing.assert_allclose(solution.predictions[0], cells.dense(rows).mean(axis=0, dtype=float), atol=1e-6)
    assert (more["monte_carlo"]["error_max"] == 0).all()


def test_few_control_cells_are_off_by_as_much_as_is_said(cells):
    plan = plan_of(cells)
    can = predicted(plan)
    *_, exact, _ = solved(plan)
    *_, rough, more = solved(plan_of(cells, n_control_cells=25))
    apart = np.sqrt(((rough.predictions - exact.predictions)[can] ** 2).mean(axis=1))
    errors = more["monte_carlo"]["error_rms"].to_numpy()
    assert (errors > 0).all()
    assert 0.3 < (apart / errors).mean() < 3
    without = cells.dense(cells.order[cells.code[cells.order] == 0][:25]).mean(axis=0) - exact.predictions[0]
    assert apart.mean() < np.sqrt((without**2).mean())


def test_an_attribution_is_that_of_the_package_run_by_hand(cells):
    import torch

    for kind in ("gradient_x_embedding", "gradient_norm"):
        plan = plan_of(cells, attribution=kind)
        module, solution, more = solved(plan)
        gene = list(cells.screen.genes).index(more["output_gene"])
        shifts = solution.predictions[predicted(plan)] - solution.predictions[0]
        assert gene == np.argmax(shifts.var(axis=0))
        from scpertbias._models.deep.scgpt.run import controls

        rows = controls(cells, 5)
        weight = module.encoder.embedding.weight
        p = predicted(plan)[0]
        (gradient,) = torch.autograd.grad(by_hand(plan, module, p, rows)[:, gene].mean(), weight)
        own = [plan.vocabulary[g] for g in cells.screen.symbols]
        importance = (weight * gradient).sum(dim=1) if kind == "gradient_x_embedding" else gradient.norm(dim=1)
        np.testing.assert_allclose(solution.coef[p], importance.detach()[own], rtol=0, atol=1e-6)
        assert np.isnan(solution.coef[0]).all()


def test_the_control_cells_are_the_same_for_all_and_of_all_strata(cells):
    from scpertbias._models.deep.scgpt.run import controls

    rows = controls(cells, 20)
    control = cells.code == 0
    share = np.bincount(cells.stratum[control]) / control.sum()
    assert np.abs(np.bincount(cells.stratum[rows]) - 20 * share).max() <= 1


def test_a_plan_that_cannot_be_is_refused(cells):
    vocab = {"<pad>": 0, "far": 1}
    nothing = Checkpoint("x", "", Sizes(8, 2, 8, 1), vocab, {})
    with (
        pytest.warns(UserWarning, match="24 of 24 genes are outside the vocabulary"),
        pytest.raises(ValueError, match="No training perturbation has a token"),
    ):
        plan_of(cells, nothing)


def test_a_combination_needs_room(screen, data):
    adata = screen.copy()
    pair = "+".join(adata.var_names[:3])
    label = adata.obs["perturbation"].astype(str).to_numpy(object)
    label[np.flatnonzero(label == "non-targeting")[:25]] = pair
    adata.obs["perturbation"] = label
    adata.obs["split"] = "train"
    cells = read_cells(adata, data, function="fit")
    with pytest.raises(ValueError, match="perturbs 3 measured genes"):
        plan_of(cells, max_genes=2)
    plan = plan_of(cells, max_genes=3)
    assert {0, 1, 2} in [set(columns) for columns in plan.tokens.columns]
