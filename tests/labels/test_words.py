"""Words of labels: the control in its spellings, and cells without an assignment."""

import pandas as pd
import pytest
from tests.labels.real_labels import CONTROLS, GENES, NOT_CONTROLS

from scpertbias._labels import is_control_word, parse, unassigned_word
from scpertbias._labels.words import control_word, holds_control_word


@pytest.mark.parametrize("label", CONTROLS)
def test_a_control_is_known_by_its_wording(label):
    assert is_control_word(label)
    labels = parse_labels([label, "STAT1", "JAK2"])
    assert labels.controls == (label,)
    assert labels.names[1:] == ("JAK2", "STAT1")


def parse_labels(labels, **kwargs):
    return parse(pd.Series(labels, dtype=object), groupby="gene", symbols=GENES, **kwargs)


def test_there_are_many_names():
    assert len(set(CONTROLS)) >= 120


@pytest.mark.parametrize("label", NOT_CONTROLS)
def test_other_words_are_no_control(label):
    assert not is_control_word(label)
    assert parse_labels([label, "NTC", "JAK2"]).controls == ("NTC",)


@pytest.mark.parametrize("gene", GENES)
def test_no_measured_gene_is_a_control(gene):
    assert control_word(gene) is None


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        *((label, "missing") for label in ("", " ", "nan", "None", "NA", "n/a", "<NA>", "null")),
        *(
            (label, "unassigned")
            for label in ("multiple", "Doublet", "unassigned", "no_guide", "No guide", "multi-guide", "*")
        ),
        *((label, None) for label in ("negative", "control", "STAT1", "MULTI1", "none_1")),
    ],
)
def test_words_that_assign_nothing(label, kind):
    assert unassigned_word(label) == kind


@pytest.mark.parametrize("label", ["TFORF3549-mCherry", "ctrl_pos", "AAVS1_deep", "x_non-targeting_y"])
def test_a_word_for_the_control_in_a_label_is_seen(label):
    assert holds_control_word(label)
    assert not is_control_word(label)


@pytest.mark.parametrize("label", ["STAT1", "NTRK1", "NT5E", "NT5C3A", "CTRLX", "controlled", "A" * 300 + "_ctrl"])
def test_other_labels_hold_none(label):
    assert not holds_control_word(label)


@pytest.mark.parametrize("label", ["ctrl" + "1 " * 50 + "xx", "g " * 58 + "y", "nt" * 55 + "q", "sg" * 59, "0" * 119])
def test_hostile_text_takes_no_time(label):
    assert control_word(label) is None
