import pandas as pd

from scpertbias._report.understood import understood

CHECK = pd.DataFrame(
    [
        ("labels", "ok", "control: 'nt', 40 cells"),
        ("batches", "ok", "`batch_key` was not given"),
        ("genes", "warning", "no ribosomal genes are measured"),
        ("response", "ok", "not shown here"),
        ("perturbation", "ok", "nor here"),
    ],
    columns=["check", "status", "detail"],
)
SIZE = {"n_cells": 1_000, "n_left_out": 250}
MODELS = pd.DataFrame({"model": ["grn_linear"], "kind": ["grn_linear"]})


def lines(command=None, symbols=None, size=SIZE, models=MODELS):
    provenance = {"parameters": {"gene_symbols": symbols}, "command": command}
    return {line["label"]: line["items"] for line in understood(CHECK, provenance, size, models)}


def test_findings_are_listed_and_warnings_marked():
    found_lines = lines()
    assert found_lines["Control and labels"] == [{"text": "Control: 'nt', 40 cells", "status": "ok"}]
    assert found_lines["Genes"] == [{"text": "No ribosomal genes are measured", "status": "warning"}]
    assert found_lines["Batches"][0]["text"] == "batch_key was not given"
    assert "not shown here" not in str(found_lines)


def test_left_out_cells_are_in_per_cent():
    assert lines()["Cells left out"] == [{"text": "25% of 1,000 cells", "status": "warning"}]
    assert lines(size={"n_cells": 1_000, "n_left_out": 0})["Cells left out"] == [
        {"text": "0% of 1,000 cells", "status": "ok"}
    ]
    assert lines(size={"n_cells": 0, "n_left_out": 0})["Cells left out"][0]["text"] == "Not recorded"


def test_symbols_and_network():
    assert lines()["Gene symbols"][0]["text"] == "From var_names"
    assert lines(symbols="name")["Gene symbols"][0]["text"] == "From the column name of var"
    assert lines("scpertbias audit x.h5ad --net a/My_net.csv")["Gene network"][0]["text"] == "My_net.csv"
    assert lines("scpertbias audit x.h5ad")["Gene network"][0]["text"] == "Co-expression in control cells"
    assert "Gene network" not in lines()
    assert "Gene network" not in lines("scpertbias audit x.h5ad", models=MODELS.head(0))
