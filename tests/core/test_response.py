"""Effects, squared effects and whether there is a response, against single cells."""

import numpy as np
from numpy.testing import assert_allclose


def test_effects_and_noise_are_those_of_cells(screen):
    response, cells = screen.response, screen.cells
    assert_allclose(response.effect, cells.effect, atol=1e-10)
    assert_allclose(response.half, cells.d, atol=1e-10)
    assert_allclose(response.gene_energy, cells.effect**2 - cells.v, atol=1e-10)
    assert_allclose(response.energy, cells.energy, atol=1e-9)
    assert_allclose(response.half_weights, cells.w_half, atol=1e-12)
    assert_allclose(response.shape.vectors, cells.vectors, atol=1e-9)
    assert response.vector.tolist() == list(range(len(cells.n)))
    assert_allclose([response.shape.a2, response.shape.a2_raised], [cells.a2, cells.a2_raised], rtol=1e-9)


def test_a_response_is_known_from_three_standard_errors(screen):
    response, cells = screen.response, screen.cells
    for keep in (np.ones(len(cells.n), dtype=bool), np.arange(len(cells.n)) == 3, np.zeros(len(cells.n), dtype=bool)):
        own, w, shared = cells.t[keep] / cells.n[keep], cells.w[keep], cells.w[keep].T @ cells.w[keep]
        pairs = np.sum(own**2 * cells.n[keep] / (cells.n[keep] - 1)) + 2 * np.sum(own * (w**2 @ cells.tau))
        pairs += np.sum(shared**2 * np.outer(cells.tau, cells.tau))
        least = 3 * np.sqrt(2 * cells.a2_raised * pairs)
        assert response.is_known(keep) == (bool(keep.any()) and cells.energy[keep].sum() >= least)
    assert response.known
