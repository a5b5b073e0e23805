import numpy as np
import pytest

import scpertbias as spb
from scpertbias.tl._effects import effects


def test_places_are_the_first_two_components(small_audit):
    ax = spb.pl.embedding(small_audit, show=False)
    stored = effects(small_audit["full"])
    u, s, _ = np.linalg.svd(stored.observed - stored.observed.mean(axis=0), full_matrices=False)
    drawn = np.concatenate([np.asarray(c.get_offsets()) for c in ax.collections])
    np.testing.assert_allclose(np.sort(np.abs(drawn), axis=0), np.sort(np.abs(u[:, :2] * s[:2]), axis=0), atol=1e-9)
    assert f"component 1 ({100 * s[0] ** 2 / np.sum(s**2):.0f}% of the variance" in ax.get_xlabel()
    counts = spb.get.perturbations(small_audit)["kind"].value_counts()
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {f"{k} ({n})" for k, n in counts.items()}


def test_names_leave_each_other_room(small_audit):
    ax = spb.pl.embedding(small_audit, n_names=2, show=False)
    stored = effects(small_audit["full"])
    assert len(ax.texts) == 2
    assert ax.texts[0].get_text() == stored.names[int(np.argmax(stored.squared_effect))]
    assert not spb.pl.embedding(small_audit, n_names=0, show=False).texts


def test_profiles_alone_and_too_few():
    cells = spb.ds.simulate(600, 30, 4, rng=0)
    ax = spb.pl.embedding(spb.pp.profiles(cells), show=False)
    assert ax.get_legend() is None
    assert ax.get_title() == "4 perturbations, by observed effect"
    with pytest.raises(ValueError, match="Pass profiles made by"):
        spb.pl.embedding(cells)
    with pytest.raises(ValueError, match="The data have 2 perturbations"):
        spb.pl.embedding(spb.pp.profiles(spb.ds.simulate(600, 30, 2, rng=0)))
