"""The rows of an inspection as text."""

import pandas as pd

from scpertbias._inspect.text import as_text

ROWS = pd.DataFrame(
    [
        ("data", "x.h5ad", "h5ad", "10 cells × 3 genes"),
        ("obs", "gene", "perturbation", "2 levels"),
        ("obs", "color", "", "2 levels"),
        ("note", "", "", "word " * 60),
        ("command", "", "", "scpertbias audit x.h5ad " + "--reference name " * 20),
    ],
    columns=["about", "name", "guess", "detail"],
)


def test_sections_in_order():
    lines = as_text(ROWS).splitlines()
    assert [line for line in lines if not line.startswith(" ")] == ["Data", "Columns of obs", "Notes", "Command"]
    assert lines[1] == "  x.h5ad  h5ad  10 cells × 3 genes"
    assert all(len(line) <= 110 for line in lines[:-1])
    assert lines[-1].count("--reference") == 20, "a command is one line, to be copied"


def test_brief():
    text = as_text(ROWS, brief=True)
    assert "color" not in text
    assert "scpertbias audit" not in text


def test_nothing():
    assert as_text(ROWS.iloc[:0]) == ""
