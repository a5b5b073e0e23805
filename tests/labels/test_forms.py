"""Labels of parts of a target, and real labels of all kinds with their meaning."""

import numpy as np
import pandas as pd
import pytest
from tests.labels.real_labels import GENES, IDS, SCREENS

import scpertbias as spb
from scpertbias._labels import MEANINGS, cautions, parse


def expected(screen):
    """Label, meaning and targets of each label of a screen."""
    for meaning, text in SCREENS[screen].items():
        for item in text.split(" | "):
            label, _, targets = item.partition(" > ")
            yield label, meaning, targets or label


def read(labels, **kwargs):
    symbols = [*GENES, *(gene for gene in IDS.values() if gene not in GENES)]
    ids = {gene: id_ for id_, gene in IDS.items()}
    return parse(
        pd.Series(labels, dtype=object), groupby="gene", symbols=symbols, ids=[ids.get(s, s) for s in symbols], **kwargs
    )


@pytest.mark.parametrize("screen", SCREENS)
def test_real_labels(screen):
    rows = list(expected(screen))
    table = read([label for label, _, _ in rows for _ in range(3)]).table.set_index("label")
    for label, meaning, targets in rows:
        assert table.loc[label, "meaning"] == meaning, (label, table.loc[label].to_dict())
        if meaning not in ("control", "unassigned"):
            assert table.loc[label, "targets"] == targets, (label, table.loc[label].to_dict())
        assert table.loc[label, "n_cells"] == 3
        assert table.loc[label, "reason"]


def test_there_are_many_of_every_kind():
    meanings = pd.Series([meaning for screen in SCREENS for _, meaning, _ in expected(screen)]).value_counts()
    assert meanings.sum() >= 150
    assert set(meanings.index) == set(MEANINGS)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 1.0])
def test_no_symbol_of_a_gene_is_anything_else(share):
    """Some thousand symbols as labels, of which some are measured: each is a target, and nothing is said."""
    genes = sorted({*spb.ds.hallmark()["target"], *spb.ds.confounder_sets()["target"]})
    assert len(genes) > 4_000
    rng = np.random.default_rng(0)
    measured = [gene for gene in genes if rng.random() < share]
    labels = parse(pd.Series([*genes, "NTC"]), groupby="gene", symbols=measured)
    assert labels.table["meaning"].value_counts().to_dict() == {"target": len(genes), "control": 1}
    assert cautions(labels.table, "gene") == []
