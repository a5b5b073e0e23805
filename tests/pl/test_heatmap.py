import numpy as np
import pytest
from matplotlib.colors import to_hex

import scpertbias as spb
from scpertbias import _moments
from scpertbias.pl._colors import SETS


def matrix(ax):
    return np.asarray(
        ax.images[0].get_array().filled(np.nan)
        if np.ma.isMaskedArray(ax.images[0].get_array())
        else ax.images[0].get_array()
    )


def names(ax):
    return [t.get_text() for t in ax.get_yticklabels()], [t.get_text() for t in ax.get_xticklabels()]


def test_observed_is_predicted_and_residual(small_audit):
    shown = {v: spb.pl.heatmap(small_audit, v, model=None if v == "observed" else "mean", n_genes=20, show=False) for v in ("observed", "predicted", "residual")}  # fmt: skip
    rows, genes = names(shown["observed"])
    assert len(rows) == 12
    assert len(genes) == 20
    assert all(names(ax) == (rows, genes) for ax in shown.values())
    np.testing.assert_allclose(matrix(shown["observed"]), matrix(shown["predicted"]) + matrix(shown["residual"]))
    assert len({ax.images[0].get_clim() for ax in shown.values()}) == 1
    screen = _moments.of(small_audit["full"]).merged
    g, p = list(screen.symbols).index(genes[3]), screen.names.index(rows[2])
    assert matrix(shown["observed"])[2, 3] == pytest.approx(screen.moments.mean[p, g] - screen.moments.control[g])
    predicted = spb.get.predictions(small_audit, "mean").iloc[p, g] - screen.moments.control[g]
    assert matrix(shown["predicted"])[2, 3] == pytest.approx(predicted, abs=1e-6)


def test_genes_are_grouped_by_set_and_rows_by_category(small_audit):
    ax = spb.pl.heatmap(small_audit, n_genes=30, show=False)
    rows, genes = names(ax)
    strip = [to_hex(patch.get_facecolor()).upper() for patch in ax.patches]
    assert len(strip) == 30
    for gene, color in zip(genes, strip, strict=True):
        assert gene.startswith("MT-") == (color == SETS["mt"][1])
    changes = sum(a != b for a, b in zip(strip, strip[1:], strict=False))
    assert changes == len(set(strip)) - 1, "each set is in one piece"
    assert strip[-1] == SETS["other"][1]
    kinds = spb.get.perturbations(small_audit).set_index("perturbation")["kind"][rows].tolist()
    assert sum(a != b for a, b in zip(kinds, kinds[1:], strict=False)) == len(set(kinds)) - 1
    assert {text.get_text().replace("\n", " ") for text in ax.texts} == set(kinds)


def test_profiles_alone_and_what_is_not_predicted():
    cells = spb.ds.simulate(900, 60, 6, rng=0)
    spb.pp.split(cells, fractions=(0.5, 0.0, 0.5))
    profiles = spb.pp.profiles(cells)
    spb.tl.fit_mean(profiles)
    ax = spb.pl.heatmap(profiles, "predicted", model="mean", n_perturbations=4, n_genes=5, show=False)
    rows, _ = names(ax)
    test = set(profiles.obs.loc[profiles.obs["split"] == "test", "perturbation"])
    assert len(rows) == 4
    assert np.isnan(matrix(ax)).all(axis=1).tolist() == [row not in test for row in rows]


def test_wrong_arguments(small_audit):
    with pytest.raises(ValueError, match="`values` is 'x'; it must be one of"):
        spb.pl.heatmap(small_audit, "x")
    with pytest.raises(ValueError, match="needs a model"):
        spb.pl.heatmap(small_audit, "residual")
    with pytest.raises(KeyError, match="no predictions of 'gears'"):
        spb.pl.heatmap(small_audit, "residual", model="gears")
