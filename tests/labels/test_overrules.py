"""What users say of labels holds against every guess."""

import json

import numpy as np
import pandas as pd
import pytest

from scpertbias._labels import parse, stored_map
from scpertbias._labels.labels import shared_targets
from scpertbias._labels.overrules import effective


def read(labels, label_map, **kwargs):
    return parse(pd.Series(labels, dtype=object), groupby="gene", label_map=stored_map(label_map), **kwargs)


def test_a_map_overrules_every_guess():
    labels = ["STAT1_1", "STAT1_2", "A+B", "x", "odd", "NT", "unassigned"]
    label_map = {"STAT1_1": "STAT1", "A+B": "one drug", "x": "A+C", "odd": "", "NT": "NTX", "unassigned": "D"}
    out = read([*labels, "plain"], label_map, reference="plain", symbols=["STAT1"])
    table = out.table.set_index("label")
    assert table["name"].to_dict() == {
        "STAT1_1": "STAT1", "STAT1_2": "STAT1_2", "A+B": "one drug", "x": "A+C", "odd": "", "NT": "NTX", "unassigned": "D",
        "plain": "plain",
    }  # fmt: skip
    assert table.loc["x", "targets"] == "A+C"
    assert table.loc["STAT1_1", "reason"] == "label_map: 'STAT1'"
    assert out.dropped == {"odd": 1}


def test_the_control_of_a_map():
    out = read(["a", "b", "STAT1"], {"a": "control", "b": "control"})
    assert (out.names, out.controls) == (("control", "STAT1"), ("a", "b"))
    again = read(["a", "b", "STAT1"], {"a": "control", "b": "control"}, reference=list(out.controls))
    assert (again.names, again.controls) == (out.names, out.controls)


def test_guides_are_pooled():
    out = read(
        ["STAT1_sg1", "STAT1_sg2", "JAK2_sg1", "STAT1_sg1+JAK2_sg1", "NT_1"], "targets", symbols=["STAT1", "JAK2"]
    )
    assert out.names == ("NT_1", "JAK2", "JAK2+STAT1", "STAT1")
    assert shared_targets(out.table) == {}


def test_cells_with_several_targets_are_left_out():
    out = read(["STAT1", "JAK2", "STAT1+JAK2", "STAT1+NT", "NT"], "single", symbols=["STAT1", "JAK2"])
    assert out.names == ("NT", "JAK2", "STAT1")
    assert out.dropped == {"several targets": 1}
    assert out.codes.tolist() == [2, 1, -1, 2, 0]


@pytest.mark.parametrize("heading", ["", "label,target\n"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_a_file_is_a_map(tmp_path, heading, suffix):
    text = f"{heading}STAT1_1,STAT1\nSTAT1_2, STAT1\nz,\n"
    path = tmp_path / f"map{suffix}"
    path.write_text(text if suffix == ".csv" else text.replace(",", "\t"), encoding="utf-8")
    stored = stored_map(path)
    assert stored == stored_map(str(path)) == stored_map(stored)
    assert effective(["STAT1_1", "z"], stored) == {"STAT1_1": "STAT1", "z": ""}


def test_what_is_stored_is_text():
    assert stored_map(None) is None
    assert stored_map("targets") == "targets"
    assert json.loads(stored_map({"a/b": "c", 1: np.nan, "d": None})) == {"a/b": "c", "1": "", "d": ""}


@pytest.mark.parametrize("text", ["a,b,c\n", "a\n", ""])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "map.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="must have two columns, label and target"):
        stored_map(tmp_path / "map.csv")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        stored_map(tmp_path / "no.csv")


def test_other_types_are_refused():
    with pytest.raises(TypeError, match="`label_map` is a list; pass a mapping"):
        stored_map(["a"])


def test_a_map_of_other_labels_is_refused():
    with pytest.raises(
        ValueError,
        match=r"matches no label of the data. The labels of `label_map` are \['stat1'\].*Did you mean 'STAT1'\?",
    ):
        read(["STAT1", "NT"], {"stat1": "x"})
