"""The scan over shifts as curves."""

import numpy as np
import pytest

import scpertbias as spb
from scpertbias.pl._target_response import target_response
from scpertbias.tl._target_response import target_response as ask


@pytest.fixture(scope="module")
def audited():
    cells = spb.ds.papalexi_2021()
    audit = spb.tl.audit(cells, batch_key="bio_rep", models=("mean", "bilinear"), regimes=("full",))["full"]
    ask(audit, max_shift=3)
    return audit


def test_curves_are_those_of_the_table(audited):
    ax = target_response(audited, show=False)
    labels = ax.get_legend_handles_labels()[1]
    assert labels == ["observed (9 targets, too few)", "bilinear (9 targets, too few)"]
    table = audited.uns["scpertbias"]["target_response"]
    mine = table[(table["model"] == "observed") & (table["block"] == "all")]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), mine["percentile"])
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), np.arange(-3, 4))
    assert ax.get_title() == "response of the perturbed genes; all genes"
    assert target_response(audited, "2", show=False).get_title().startswith("response of the perturbed genes; block 2")


def test_unknown_block(audited):
    with pytest.raises(KeyError, match="`block` is '11'"):
        target_response(audited, "11")
