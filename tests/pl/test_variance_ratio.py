"""Spread of genes by model; ratio and collapse are written above."""

import numpy as np
import pytest

import scpertbias as spb
from scpertbias.pl._variance_ratio import variance_ratio
from scpertbias.tl._variance_ratio import variance_ratio as ask


@pytest.fixture(scope="module")
def audited():
    cells = spb.ds.papalexi_2021()
    audit = spb.tl.audit(cells, batch_key="bio_rep", models=("no_change", "mean", "bilinear"), regimes=("full",))[
        "full"
    ]
    ask(audit)
    return audit


def test_boxes_ratios_and_collapse(audited):
    ax = variance_ratio(audited, show=False)
    ticks = [t.get_text() for t in ax.get_xticklabels()]
    assert [t.split(" ")[0] for t in ticks] == ["observed", "no", "mean", "bilinear"]
    texts = [t.get_text() for t in ax.texts]
    assert "0.00\n= no change" in texts
    assert "0.00\n= mean" in texts
    assert texts.count("no\nvariation") == 2
    table = audited.uns["scpertbias"]["variance_ratio"]
    genes = table[(table["level"] == "gene") & (table["model"] == "bilinear") & table["ratio"].notna()]
    median = genes["sd_predicted"].median()
    assert any(np.allclose(line.get_ydata(), median) for line in ax.lines)
    assert f"observed ({len(genes)} genes)" in ticks


def test_some_models_and_none_asked(audited):
    ax = variance_ratio(audited, models=["mean"], show=False)
    assert len(ax.get_xticklabels()) == 2
    with pytest.raises(KeyError, match="Run spb.tl.variance_ratio first"):
        variance_ratio(spb.ds.papalexi_2021())
