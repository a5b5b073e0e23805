import numpy as np
import pytest

from scpertbias._models.deep.scgpt.attribution import embedding_gradient, in_gene_space
from scpertbias._models.deep.scgpt.tokens import tokens_of

GENES = np.array([f"G{i}" for i in range(23)])


@pytest.mark.scgpt
@pytest.mark.parametrize("micro_batch", [2, 100])
@pytest.mark.parametrize(("p", "perturbed", "extra"), [(1, ["G1"], []), (2, ["G2"], ["away"])])
def test_gradient_is_that_of_the_package_run_by_hand(scgpt, scgpt_by_hand, micro_batch, p, perturbed, extra):
    import torch

    weight = scgpt.model.encoder.embedding.weight
    (theirs,) = torch.autograd.grad(scgpt_by_hand(scgpt.cells, perturbed, extra)[:, 6].mean(), weight)
    ours = embedding_gradient(scgpt.model, scgpt.tokens, p, scgpt.cells, 6, micro_batch=micro_batch)
    theirs = theirs.numpy()[[scgpt.vocab[g] for g in GENES]]
    assert np.abs(theirs).max() > 1e-3
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)
    assert weight.grad is None


@pytest.mark.scgpt
def test_gene_space_by_hand(scgpt):
    gradient = np.random.default_rng(0).normal(size=(23, 16))
    embedding = scgpt.model.encoder.embedding.weight.detach().numpy()
    signed = in_gene_space(scgpt.model, scgpt.tokens, gradient, "gradient_x_embedding")
    norm = in_gene_space(scgpt.model, scgpt.tokens, gradient, "gradient_norm")
    for g, name in enumerate(GENES):
        row = embedding[scgpt.vocab[name]]
        assert signed[g] == pytest.approx(sum(row[d] * gradient[g, d] for d in range(16)))
        assert norm[g] == pytest.approx(sum(gradient[g, d] ** 2 for d in range(16)) ** 0.5)
    assert (signed < 0).any()


@pytest.mark.scgpt
def test_gradient_is_the_slope_of_the_prediction(scgpt):
    """Independent of autograd: move one embedding a little, and see how far the prediction moves."""
    import torch

    from scpertbias._models.deep.scgpt.model import build
    from scpertbias._models.deep.scgpt.predict import outputs

    gradient = embedding_gradient(scgpt.model, scgpt.tokens, 1, scgpt.cells, 6, micro_batch=10)
    moved = build(scgpt.sizes, scgpt.vocab, seed=0)
    row, step, at = scgpt.vocab["G9"], 3e-3, []
    for by in (step, -2 * step):
        with torch.no_grad():
            moved.encoder.embedding.weight[row, 3] += by
        at.append(outputs(moved, scgpt.tokens, 1, scgpt.cells, micro_batch=10)[:, 6].mean(dtype=float))
    assert (at[0] - at[1]) / (2 * step) == pytest.approx(gradient[9, 3], rel=0.03)


@pytest.mark.scgpt
def test_a_gene_without_a_token_has_no_attribution(scgpt):
    vocab = {name: i for name, i in scgpt.vocab.items() if name not in {"G5", "G7"}}
    tokens = tokens_of(GENES, scgpt.names[:2], scgpt.targets[:2], vocab, missing_target="token")
    gradient = embedding_gradient(scgpt.model, tokens, 1, scgpt.cells, 6, micro_batch=10)
    importance = in_gene_space(scgpt.model, tokens, gradient, "gradient_x_embedding")
    assert np.flatnonzero(importance == 0).tolist() == [5, 7]
