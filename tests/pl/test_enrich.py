import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import scpertbias as spb
from scpertbias import _store
from scpertbias.pl._enrich import enrich

SMALL = "too small: fewer than 3 genes in common"


def table(of="attributions"):
    rows = [
        ("ridge", "", "HALLMARK_HYPOXIA", 10, 1e-9, 1e-7, ""),
        ("ridge", "", "HALLMARK_P53_PATHWAY", 5, 1e-3, 0.2, ""),
        ("ridge", "", "a_set_whose_name_goes_on_and_on_and_on_beyond_any_label", 2, 0.002, 0.01, SMALL),
        ("bilinear", "", "HALLMARK_HYPOXIA", 4, 1e-4, 1e-2, ""),
        ("bilinear", "STAT1", "HALLMARK_APOPTOSIS", 6, 1e-4, 1e-2, ""),
    ]
    columns = ["model", "perturbation", "source", "overlap", "p", "q", "note"]
    return pd.DataFrame(rows, columns=columns).assign(
        of=of, k=20, set_size=33, background=300, genes="A, B", log_odds=1.0
    )


@pytest.fixture
def profiles():
    profiles = spb.pp.profiles(spb.ds.simulate(1500, 30, 8))
    _store.put(profiles, enrich=table())
    return profiles


def test_dots_numbers_and_what_is_open(profiles):
    ax = enrich(profiles, show=False)
    solid, hollow = ax.collections[:2]
    assert solid.get_offsets().tolist() == [[0, 0], [1, 0]]
    assert hollow.get_offsets().tolist() == [[0, 2 - 1], [0, 2]]
    np.testing.assert_allclose(solid.get_array(), [7, 2])
    assert solid.get_sizes()[0] / solid.get_sizes()[1] == pytest.approx(10 / 4)
    texts = {(round(t.get_position()[0]), t.get_position()[1], t.get_text()) for t in ax.texts}
    assert texts == {(0, 0, "10/20"), (1, 0, "4/20"), (0, 1, "5/20"), (0, 2, "2/20")}
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels[:2] == ["HYPOXIA (33)", "P53 PATHWAY (33)"]
    assert labels[2].endswith("… (33)")
    assert len(labels[2]) < 50
    assert ax.get_title() == "gene sets enriched in the top genes by attribution; all perturbations"


def test_one_perturbation_and_fewer_sets(profiles):
    ax = enrich(profiles, "STAT1", models="bilinear", show=False)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["APOPTOSIS (33)"]
    assert ax.get_title() == "gene sets enriched in the top genes by attribution; STAT1"
    assert len(enrich(profiles, n_sets=1, show=False).get_yticklabels()) == 1


def test_recurrent_genes_are_named_so(profiles):
    _store.put(profiles, enrich=table(of="z"))
    assert (
        enrich(profiles, show=False).get_title() == "gene sets enriched in the recurrent genes (z); all perturbations"
    )


def test_errors(profiles):
    with pytest.raises(KeyError, match=r"'TP53' has no top gene in any set; choose from \['STAT1'\]"):
        enrich(profiles, "TP53")
    with pytest.raises(KeyError, match="`models`: 'x' not available"):
        enrich(profiles, models="x")
    with pytest.raises(KeyError, match=r"none of \['ridge'\] has a top gene of 'STAT1'"):
        enrich(profiles, "STAT1", models="ridge")
    with pytest.raises(ValueError, match="not from an audit"):
        enrich(profiles, regime="full")
    _store.put(profiles, enrich=table().iloc[:0])
    with pytest.raises(ValueError, match="There is nothing to draw"):
        enrich(profiles)


def test_what_it_returns(profiles):
    assert isinstance(enrich(profiles, return_fig=True), Figure)
    _, ax = plt.subplots()
    assert enrich(profiles, ax=ax, show=False) is ax
