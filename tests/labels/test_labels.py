"""What is said of a column of labels."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.labels.real_labels import GENES

from scpertbias._labels import COLUMNS, MEANINGS, announce, cautions, parse, stored_map


def read(labels, **kwargs):
    return parse(pd.Series(labels, dtype=object), groupby="gene", symbols=GENES, **kwargs)


def said(labels, **kwargs):
    return " | ".join(cautions(read(labels, **kwargs).table, "gene"))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["STAT1g1", "STAT1g2", "NT"], "seems to contain guides"),
        (["STAT1 KO", "STAT1 NP", "NT"], "seems to contain classes of cells (such as KO and NP)"),
        (["Vorinostat_10", "Vorinostat_1000", "DMSO"], "seems to contain doses"),
        (["Nutlin_6h", "Nutlin_24h", "DMSO"], "seems to contain time points"),
        (["TP53_clone1", "TP53_clone2", "WT"], "seems to contain clones"),
        (["STAT1_sg1", "STAT1", "NT"], "seems to contain guides"),
    ],
)
def test_parts_of_a_target_are_named_with_what_a_split_does(labels, words):
    text = said(labels)
    assert words in text
    assert "can have the same target as test cells" in text
    assert "label_map='targets'" in text


@pytest.mark.parametrize("labels", [["STAT1", "JAK2", "NT"], ["sgSTAT1", "sgJAK2", "NT"], ["NKX2-1", "NKX2-5", "NT"]])
def test_nothing_is_said_of_one_label_a_target(labels):
    assert said(labels) == ""


def test_labels_like_the_control_are_named():
    text = said(["TFORF1-mCherry", "STAT1", "NT_1", "NT_2"])
    assert "'TFORF1-mCherry' (1 cells) contain a word for a control, but the control is 'NT_1', 'NT_2'" in text
    assert said(["AAVS1", "NT"], reference="NT") == ""
    assert "'NT_2', 'NT_3' (2 cells) contain a word" in said(["NT_1", "NT_2", "NT_3", "STAT1"], reference="NT_1")
    assert "'control' (1 cells) contain a word for a control, but the control is 'HK2'" in said(
        ["control", "HK2", "STAT1"], reference="HK2"
    )


def test_most_cells_left_out_is_said():
    assert "4 of 6 cells (67%) are left out because of their label in obs['gene'] ('none': 3, 'multiple': 1)" in said(
        ["none"] * 3 + ["multiple", "STAT1", "NT"]
    )
    assert said(["none", "STAT1", "NT"]) == ""


def test_negative_as_the_control_is_said():
    assert "'Negative' is used as the control, but guide assigners use this word for cells without a guide" in said(
        ["Negative", "STAT1"]
    )
    assert said(["negative", "NT", "STAT1"]) == ""


def lists_of_guides(n, separator=",", rng=np.random.default_rng(0)):
    """Labels of cells with 1 to 5 guides of 12 genes each."""
    guides = [f"{gene}_sg{i}" for gene in GENES[:12] for i in (1, 2)]
    return [separator.join(rng.choice(guides, rng.integers(1, 6), replace=False)) for _ in range(n)]


@pytest.mark.parametrize("separator", [",", ";", "|", "+", "__", " "])
def test_lists_of_guides_are_refused_with_what_can_be_done(separator):
    labels = [*lists_of_guides(600, separator), *["NT"] * 50]
    out = read(labels)
    single = sum(separator not in label for label in labels[:600])
    assert single < (out.table.loc[out.table["meaning"] == "combination", "n_cells"].sum())
    with pytest.raises(
        ValueError, match=r"high multiplicity of infection.*label_map='single' to analyze only the \d+ cells"
    ):
        announce(out, "gene")
    kept = read(labels, label_map="single")
    with pytest.warns(UserWarning, match="seems to contain guides|left out"):
        announce(kept, "gene")
    assert max(map(len, kept.targets)) == 1
    assert (kept.codes > 0).sum() >= single


def test_labels_split_at_a_dash_are_named():
    text = said(["STAT1-JAK2", "STAT1", "JAK2", "NT"])
    assert "'STAT1-JAK2' were split at '-' into several targets, but names of single genes can contain '-', too" in text
    assert said(["STAT1-JAK2", "STAT1", "JAK2", "NT"], combination_sep="+") == ""


@pytest.mark.parametrize("label", ["STAT1-MDP1", "MDP1-STAT1", "GAS5-AS1"])
def test_a_readthrough_is_no_guide(label):
    assert said([label, "STAT1", "GAS5", "NT"]) == ""


def test_designed_combinations_are_not_refused():
    announce(read(["STAT1+JAK2"] * 30 + ["STAT1+MYC"] * 30 + ["STAT1"] * 10 + ["NT"] * 30), "gene")


PIECES = st.sampled_from(
    [
        *GENES[:12],
        "A",
        "B",
        "drug",
        "enh_1",
        "NT",
        "ctrl",
        "non-targeting",
        "sg1",
        "g2",
        "P1P2",
        "KO",
        "10uM",
        "24h",
        "1",
        "100",
    ]
    + ["ACGTACGT", "none", "clone1", "(", ")", "µ", "é", "123.45", "ENSG00000115415.2"]
)
LABELS = st.lists(
    st.one_of(
        st.text(st.characters(exclude_characters="\0"), max_size=12),
        st.builds(
            lambda parts, sep: sep.join(parts), st.lists(PIECES, min_size=1, max_size=5), st.sampled_from("+_-|/: .")
        ),
    ),
    min_size=1,
    max_size=15,
)


@settings(max_examples=300, deadline=None)
@given(LABELS, st.sampled_from([None, "+", "_", ""]), st.sampled_from([None, "targets", "single"]))
def test_every_column_of_labels_is_read_or_refused(labels, sep, label_map):
    cells = [*labels, "the control", "the control"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = read(cells, reference="the control", combination_sep=sep, label_map=stored_map(label_map))
    assert len(out.codes) == len(cells)
    assert out.codes[-1] == 0
    assert len(set(out.names)) == len(out.names) == len(out.targets)
    assert all(genes for genes in out.targets[1:])
    assert (out.codes < 0).sum() == sum(out.dropped.values())
    assert list(out.table.columns) == list(COLUMNS)
    assert set(out.table["meaning"]) <= set(MEANINGS)
    assert out.table["n_cells"].sum() == len(cells)
    assert out.table["label"].is_unique
    named = dict(zip(out.table["label"], out.table["name"], strict=True))
    assert [out.names[code] if code >= 0 else "" for code in out.codes] == [named[label] for label in cells]
    if label_map == "single":
        assert max(map(len, out.targets)) <= 1
    # The order of cells changes nothing, and neither does reading the result again by its table.
    order = np.random.default_rng(0).permutation(len(cells))
    again = read(
        [cells[i] for i in order], reference="the control", combination_sep=sep, label_map=stored_map(label_map)
    )
    assert again.names == out.names
    assert again.codes.tolist() == out.codes[order].tolist()
    pooled = dict(zip(out.table["label"], out.table["name"], strict=True))
    if sep is None and label_map is None and all("+" not in name for name in out.names):
        mapped = read(
            cells, reference="the control", label_map=stored_map({k: v for k, v in pooled.items() if k.strip()} or None)
        )
        assert {n for n in mapped.names if n} == set(out.names)
