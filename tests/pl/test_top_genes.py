"""Strongest genes of one perturbation by model, with the observed effects beside them."""

import numpy as np
import pytest

import scpertbias as spb
from scpertbias.pl._top_genes import top_genes


@pytest.fixture(scope="module")
def audit():
    cells = spb.ds.papalexi_2021()
    return spb.tl.audit(cells, batch_key="bio_rep", models=("no_change", "mean", "bilinear"), regimes=("full", "no_mt"))


def test_the_paper_s_figure(audit):
    ax = top_genes(audit, "STAT2", n_genes=12, show=False)
    full = audit["full"]
    control = full.X[full.obs["is_reference"].to_numpy()][0]
    observed = full.X[(full.obs["perturbation"] == "STAT2").to_numpy()][0] - control
    predicted = spb.get.predictions(full, "bilinear").loc["STAT2"].to_numpy() - control
    drawn = [t.get_text() for t in ax.texts]
    for effect in (observed, predicted):
        order = np.argsort(-np.abs(effect))[:12]
        wanted = [f"{full.var_names[g]} {'↑' if effect[g] > 0 else '↓'}" for g in order]
        start = drawn.index(wanted[0]) if effect is observed else len(drawn) - 1 - drawn[::-1].index(wanted[0])
        assert drawn[start : start + 12] == wanted
    assert "no effect" in drawn
    bars = [p.get_width() for p in ax.patches if p.get_facecolor()[3] > 0][:12]
    np.testing.assert_allclose(np.array(bars) / bars[0], np.sort(np.abs(observed))[::-1][:12] / np.abs(observed).max())


def test_a_perturbation_that_a_model_cannot_predict(audit):
    full = audit["full"]
    gone = next(p for p in full.obs["perturbation"] if spb.get.predictions(full, "bilinear").loc[p].isna().any())
    drawn = [t.get_text() for t in top_genes(full, gone, models=["bilinear"], show=False).texts]
    assert "not predicted" in drawn
    assert "mean" not in drawn


def test_errors(audit):
    with pytest.raises(KeyError, match="`perturbation`: 'X' not available"):
        top_genes(audit, "X")
    with pytest.raises(KeyError, match=r"`regime`: 'x' not available; choose from \['full', 'no_mt'\]"):
        top_genes(audit, "STAT1", regime="x")
    with pytest.raises(ValueError, match="not an audit"):
        top_genes(audit["full"], "STAT1", regime="full")
    names = {t.get_text() for t in top_genes(audit, "STAT1", regime="no_mt", show=False).texts}
    assert not any(name.startswith("MT-") for name in names)
