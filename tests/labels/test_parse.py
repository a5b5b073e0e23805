"""Labels: which cells count, what is control, which genes a label hits."""

import logging
import time

import numpy as np
import pandas as pd
import pytest

from scpertbias._labels import announce, parse


def read(labels, **kwargs):
    values = labels if isinstance(labels, pd.Series) else pd.Series(list(labels))
    return parse(values, groupby="perturbation", **kwargs)


def named(found):
    """The name that each cell got, None where it was left out."""
    return [found.names[code] if code >= 0 else None for code in found.codes]


def test_codes_names_targets():
    found = read(["STAT1", "ctrl", "JAK2", "STAT1", "JAK2+STAT1"])
    assert found.names == ("ctrl", "JAK2", "JAK2+STAT1", "STAT1")
    assert found.targets == ((), ("JAK2",), ("JAK2", "STAT1"), ("STAT1",))
    assert found.codes.tolist() == [3, 0, 1, 3, 2]
    assert found.codes.dtype == np.int64
    assert found.reference == "ctrl"
    assert found.controls == ("ctrl",)
    assert found.dropped == {}


@pytest.mark.parametrize("dtype", [object, "category", "string", "string[python]"])
@pytest.mark.parametrize(
    ("label", "reason"),
    [
        (None, "no label"),
        (np.nan, "no label"),
        ("", "no label"),
        ("  ", "no label"),
        ("nan", "nan"),
        ("None", "None"),
        ("unassigned", "unassigned"),
        ("Unassigned", "Unassigned"),
        ("multiplet", "multiplet"),
        ("Ambiguous", "Ambiguous"),
        ("doublet", "doublet"),
    ],
)
def test_cells_without_a_label_are_left_out_and_counted(label, reason, dtype):
    found = read(pd.Series(["A", label, "ctrl", label], dtype=dtype))
    assert named(found) == ["A", None, "ctrl", None]
    assert found.dropped == {reason: 2}
    assert found.names == ("ctrl", "A")


def test_empty_and_missing_are_one_reason():
    assert read(["A", "", None, " ", "ctrl"]).dropped == {"no label": 3}


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("A+B", "A+B"),
        ("B+A", "A+B"),
        ("B + A", "A+B"),
        ("A+A", "A"),
        ("A+ctrl", "A"),
        ("ctrl+A", "A"),
        ("A+NT", "A"),
        ("A+non-targeting", "A"),
        ("C+B+A", "A+B+C"),
        ("A;B", "A+B"),
        ("B,A", "A+B"),
        ("A|B", "A+B"),
        ("A_B", "A+B"),
        ("B_A", "A+B"),
        ("A_ctrl", "A"),
        ("ctrl_A", "A"),
        ("A_A", "A"),
        ("A_X", "A_X"),  # X is not known
        ("A;X", "A;X"),
        ("X_Y", "X_Y"),
        ("A+X", "A+X"),  # + needs no knowledge
        (" A ", "A"),
        ("A/B", "A+B"),
        ("A || B", "A+B"),
        ("A & B", "A+B"),
        ("A:B", "A+B"),
        ("A-B", "A+B"),
        ("A B", "A+B"),
        ("A__B", "A+B"),
        ("A_B__A_B", "A+B"),
        ("A and B", "A+B"),
        ("A~X", "A~X"),
        ("HLA-A", "HLA-A"),
        ("gene A", "gene A"),
        ("ctrl+ctrl", "ctrl"),
        ("β-catenin", "β-catenin"),
    ],
)
def test_combinations(label, name):
    found = read(["A", "B", "C", "ctrl", label])
    assert named(found)[-1] == name
    if name != "ctrl":
        assert "+".join(found.targets[found.codes[-1]]) == name


def test_known_targets_may_be_measured_genes():
    assert named(read(["STAT1;JAK2", "ctrl"]))[0] == "STAT1;JAK2"
    assert named(read(["STAT1;JAK2", "ctrl"], symbols=["STAT1", "JAK2"]))[0] == "JAK2+STAT1"
    assert named(read(["STAT1_JAK2", "ctrl"], symbols=["STAT1", "JAK2"]))[0] == "JAK2+STAT1"


def test_a_gene_with_an_underscore_stays_a_gene():
    found = read(["A_B", "A", "B", "ctrl"], symbols=["A_B", "A", "B"])
    assert named(found)[0] == "A_B"
    assert found.targets[found.codes[0]] == ("A_B",)


def test_what_was_understood_is_logged(caplog):
    with caplog.at_level(logging.INFO, logger="scpertbias"):
        announce(read(["A", "B", "A_B", "ctrl", "none"]), "gene")
    assert caplog.messages == [
        "obs['gene']: 1 control, 2 targets, 1 combination; 1 of 5 cells left out ('none' 1)",
    ]


def test_thirty_controls_are_one():
    labels = [f"non-targeting_{i:02d}" for i in range(1, 31)]
    found = read([*labels, "STAT1"])
    assert found.names == ("non-targeting", "STAT1")
    assert found.codes.tolist() == [0] * 30 + [1]
    assert found.controls == tuple(labels)


@pytest.mark.parametrize("reference", ["non-targeting*", ["non-targeting_1", "non-targeting_2"], ["non-*_1", "*_2"]])
def test_patterns_and_lists(reference):
    found = read(["non-targeting_1", "non-targeting_2", "ctrl", "A"], reference=reference)
    assert found.names == ("non-targeting", "A", "ctrl")
    assert found.codes.tolist() == [0, 0, 2, 1]


def test_unlike_controls_are_called_control():
    assert read(["DMSO", "vehicle", "A"], reference=["DMSO", "vehicle"]).names == ("control", "A")


@pytest.mark.parametrize(
    ("labels", "reference", "names"),
    [
        (["NT_1", "NT_2", "NT"], ["NT_1", "NT_2"], ("control", "NT")),
        (["x_1", "y_1", "control"], ["x_1", "y_1"], ("x_1", "control")),
    ],
)
def test_the_name_of_the_control_is_not_that_of_a_perturbation(labels, reference, names):
    found = read(labels, reference=reference)
    assert found.names == names
    assert found.codes.tolist() == [0, 0, 1]


def test_a_pattern_is_first_a_name():
    assert read(["[x]", "x", "A"], reference="[x]").codes.tolist() == [0, 2, 1]


def test_ambiguous_control():
    with pytest.raises(
        ValueError, match=r"several labels that could be the control: 'AAVS1', 'non-targeting'.*reference="
    ):
        read(["AAVS1", "non-targeting", "STAT1"])


def test_absent_control_lists_what_was_seen():
    with pytest.raises(
        ValueError, match=r"No label of obs\['perturbation'\] looks like a control. Labels: 'JAK2', 'STAT1'"
    ):
        read(["STAT1", "JAK2"])
    with pytest.raises(ValueError, match=r"… \(40 labels\)"):
        read([f"G{i}x" for i in range(40)])


@pytest.mark.parametrize("reference", ["DMSO", ["ctrl", "DMSO"], "DMS*", []])
def test_missing_reference(reference):
    with pytest.raises(
        ValueError, match=r"`reference` .* matches no label of obs\['perturbation'\]. Labels: 'ctrl', 'A'"
    ):
        read(["A", "ctrl"], reference=reference)


def test_unassigned_is_never_the_reference():
    with pytest.raises(ValueError, match="matches no label"):
        read(["A", "none", "ctrl"], reference="none")


def test_a_control_that_is_also_a_target():
    found = read(["STAT1", "JAK2", "JAK2+STAT1", "STAT1+STAT1"], reference="STAT1", symbols=["STAT1", "JAK2"])
    assert found.names == ("STAT1", "JAK2")
    assert found.codes.tolist() == [0, 1, 1, 0]


def test_a_control_word_that_is_not_the_reference_stays():
    found = read(["AAVS1", "non-targeting", "A", "A+AAVS1"], reference="non-targeting")
    assert found.names == ("non-targeting", "A", "AAVS1")
    assert named(found)[-1] == "A"


def test_numbers():
    found = read(pd.Series([3, 1, 0, 1]), reference="0")
    assert found.names == ("0", "1", "3")
    assert found.codes.tolist() == [2, 1, 0, 1]
    assert read(pd.Series([3, 1, 0, 1]), reference=0).names == ("0", "1", "3")


def test_unused_categories():
    values = pd.Series(pd.Categorical(["A", "ctrl"], categories=["Z", "ctrl", "A", "NT"]))
    assert read(values).names == ("ctrl", "A")


def test_no_cell():
    with pytest.raises(ValueError, match="looks like a control"):
        read(pd.Series([], dtype=object))


@pytest.mark.parametrize(
    "labels",
    [
        ["STAT1_g1", "STAT1_g2", "JAK2_g1", "JAK2_g2"],
        ["STAT1-1", "STAT1-2", "MYC"],
        ["A_sgRNA_1", "A_sgRNA_2"],
        ["A.1", "A.2", "B.1", "B.2"],
    ],
)
def test_labels_that_look_like_guides(labels):
    with pytest.warns(UserWarning, match=r"seems to contain guides, not targets: .* belong to \d targets?.*guide_key"):
        announce(read([*labels, "NT"], symbols=["STAT1", "JAK2", "MYC"]), "guide")


@pytest.mark.parametrize(
    "labels",
    [["STAT1", "JAK2"], ["NKX2-1", "NKX2-5", "MYC", "SPI1", "TAL1"], ["HLA-A", "HLA-B"], [], ["MT-CO1", "MT-CO2"]],
)
def test_genes_do_not_look_like_guides(labels):
    announce(read([*labels, "NT"]), "perturbation")


@pytest.mark.parametrize("join", ["G{}", "G{}_G7"], ids=["single", "pairs"])
@pytest.mark.parametrize("reference", [None, "NT_*", [f"NT_{i}" for i in range(30)]], ids=["words", "pattern", "list"])
def test_twenty_thousand_labels(join, reference):
    labels = [f"G{i}" for i in range(100)] + [join.format(i) for i in range(20_000)] + [f"NT_{i}" for i in range(30)]
    values = pd.Series(pd.Categorical(labels))
    seconds = []
    for _ in range(3):  # the best of three: a busy machine slows single ones
        start = time.process_time()
        found = read(values, reference=reference, symbols=[f"G{i}" for i in range(20_000)])
        seconds.append(time.process_time() - start)
    assert min(seconds) < 1
    assert len(found.names) > 19_000
