"""Perturbations and genes found by name."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from scpertbias import _moments
from scpertbias._models.external.matching import (
    PredictionRows,
    by_perturbation,
    digits,
    gene_columns,
    match,
    perturbation_codes,
)

GENES = ["A", "B", "C", "HLA-A", "D1"]


def screen(labels=("ctrl_1", "ctrl_2", "A", "B", "A;B", "HLA_X", "NT5"), genes=GENES, **options) -> _moments.Screen:
    x = np.random.default_rng(0).random((30 * len(labels), len(genes)))
    cells = ad.AnnData(x, var=pd.DataFrame(index=pd.Index(genes)))
    cells.obs_names = [f"c{i}" for i in range(cells.n_obs)]
    cells.obs["perturbation"] = np.repeat(labels, 30)
    return _moments.of(cells, reference=["ctrl_1", "ctrl_2"] if "ctrl_1" in labels else None, **options)


def rows_of(values, labels, genes, *, are_cells=False) -> PredictionRows:
    genes = None if genes is None else pd.Index(genes)
    return PredictionRows(values, labels, genes, are_cells=are_cells, are_integers=False, source="here")


@pytest.mark.parametrize(
    ("label", "meant"),
    [
        ("A", "A"),
        ("A+B", "A+B"),
        ("B+A", "A+B"),
        ("B_A", "A+B"),
        ("A|B", "A+B"),
        ("A+ctrl", "A"),
        ("ctrl+A", "A"),
        ("A_ctrl", "A"),
        ("A+A", "A"),
        ("ctrl", 0),
        ("control", 0),
        ("ctrl+ctrl", 0),
        ("ctrl_2", 0),
        ("non-targeting", 0),
        ("HLA_X", "HLA_X"),  # a name of the data is itself, whatever separators it has
        ("NT5", "NT5"),  # even if it looks like a control elsewhere
        ("C", None),
        ("A+C", None),
        ("nan", None),
        ("", None),
    ],
)
def test_labels(label, meant):
    data = screen()
    expected = 0 if meant == 0 else -1 if meant is None else data.names.index(meant)
    assert match([label], data).tolist() == [expected]
    assert match(["B", label, label], data).tolist() == [data.names.index("B"), expected, expected]


def test_controls_of_any_name():
    cells = ad.AnnData(np.random.default_rng(0).random((90, 2)), var=pd.DataFrame(index=["A", "B"]))
    cells.obs["perturbation"] = np.repeat(["mock x", "plain", "A"], 30)
    cells.obs_names = [f"c{i}" for i in range(90)]
    data = _moments.of(cells, reference=["mock x", "plain"])
    assert match(["plain", "A", "mock x", data.reference, "other"], data).tolist() == [0, 1, 0, 0, -1]


@pytest.mark.filterwarnings("ignore:obs.* seems to contain guides")
@pytest.mark.parametrize(
    ("options", "label", "meant"),
    [
        ({"label_map": {"g17": "A", "g18": "B"}}, "g17", "A"),
        ({"label_map": {"g17": "A", "g18": "B"}}, "A", "A"),
        ({"label_map": {"g17": "A", "g18": "B"}}, "g18+g17", None),
        ({"label_map": {"g17": "A+B", "g18": "B"}}, "B_A", "A+B"),
        ({"label_map": {"g17": "", "g18": "B"}}, "g17", None),
        ({"label_map": {"g17": "ctrl", "g18": "B"}}, "g17", 0),
        ({"label_map": {"g17": "ctrl", "g18": "B"}}, "control", 0),
        ({"combination_sep": "~"}, "C~A", "A+C"),
        ({"combination_sep": "~"}, "A+C", "A+C"),
        ({"combination_sep": "~"}, "ctrl~A", "A"),
        ({"combination_sep": ""}, "C+A", None),
        ({}, "C", None),  # two guides of the data hit it
        ({"label_map": "targets"}, "C_sg1", "C"),
        ({"label_map": "targets"}, "C_sg3", "C"),
        ({"label_map": "single"}, "A~C", None),
    ],
)
def test_labels_mean_what_they_mean_in_the_data(options, label, meant):
    data = screen(("ctrl", "A", "g17", "g18", "A~C", "C_sg1", "C_sg2"), **options)
    expected = 0 if meant == 0 else -1 if meant is None else data.names.index(meant)
    assert match(["B", label], data)[1] == expected


@pytest.mark.parametrize(
    "label", ["ENSG00000000001", "ENSG00000000001.7", "A", "A+ENSG00000000002", "ctrl_ENSG00000000001"]
)
def test_labels_may_be_ids(label):
    genes = ["ENSG00000000001", "ENSG00000000002.3"]
    x = np.random.default_rng(0).random((120, 2))
    cells = ad.AnnData(x, var=pd.DataFrame({"gene_symbols": ["A", "B"]}, index=genes))
    cells.obs_names = [f"c{i}" for i in range(120)]
    for of_data in (["ctrl", "A", "B", "A+B"], ["ctrl", genes[0], genes[1], f"{genes[0]}_{genes[1]}"]):
        cells.obs["perturbation"] = np.repeat(of_data, 30)
        data = _moments.of(cells)
        (code,) = match([label], data)
        assert data.targets[code] == (("A", "B") if label.endswith("2") else ("A",))


def test_known_labels_warn_of_the_others():
    data = screen()
    with pytest.warns(UserWarning, match="`test`: 2 labels .* C, TP53"):
        codes = perturbation_codes(["A", "C", "none", "TP53", ""], data, argument="test")
    assert (codes >= 0).tolist() == [True, False, False, False, False]
    with pytest.raises(ValueError, match="`test` contains C, which is not a perturbation of the data"):
        perturbation_codes(["C", "ctrl"], data, argument="test")


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.csc_array])
def test_cells_are_averaged(form):
    data = screen()
    rng = np.random.default_rng(0)
    labels = rng.choice(["A", "B", "B_A", "A+B", "ctrl", "nan"], 100)
    values = rng.random((100, 6)).astype(np.float32)
    genes = ["D1", "C", "EXTRA", "HLA-A", "B", "A"]
    got = by_perturbation(rows_of(form(values), labels.tolist(), genes, are_cells=True), data)
    same = {"A": ["A"], "B": ["B"], "A+B": ["B_A", "A+B"], data.reference: ["ctrl"]}
    for i, name in enumerate(data.names):
        rows = values[np.isin(labels, same.get(name, []))].astype(np.float64)
        expected = rows.mean(axis=0)[[5, 4, 1, 3, 0]] if len(rows) else np.full(5, np.nan)
        np.testing.assert_allclose(got[i], expected, rtol=1e-12)


def test_rows_of_a_table_are_not_averaged():
    data = screen()
    with pytest.raises(ValueError, match=r"contains 'A\+B' more than once \(as A\+B, B_A\)"):
        by_perturbation(rows_of(np.ones((2, 5)), ["A+B", "B_A"], GENES), data)
    controls = np.arange(15.0).reshape(3, 5)  # but the control has many names
    got = by_perturbation(rows_of(controls, ["ctrl_1", "ctrl_2", "A"], GENES), data)
    np.testing.assert_array_equal(got[0], controls[:2].mean(axis=0))


def test_rows_of_the_data():
    data = screen()
    values = np.random.default_rng(0).random((len(data.codes), 5))
    got = by_perturbation(rows_of(values, None, GENES, are_cells=True), data)
    expected = [values[data.codes == i].mean(axis=0) for i in range(len(data.names))]
    np.testing.assert_allclose(got, expected)


def test_gene_names_replace_those_of_the_columns():
    data = screen()
    values = np.arange(5.0)[None]
    got = by_perturbation(rows_of(values, ["A"], range(5)), data, GENES[::-1])
    np.testing.assert_array_equal(got[data.names.index("A")], values[0, ::-1])
    for wrong in ("ABCDE", GENES[:3]):
        with pytest.raises(ValueError, match="5 columns. Pass one name per column"):
            by_perturbation(rows_of(values, ["A"], None), data, wrong)
    with pytest.raises(ValueError, match="numbers instead of gene names"):
        by_perturbation(rows_of(values, ["A"], None), data, range(5))


def columns(data, genes, labels=("A",)):
    thing = rows_of(np.zeros((1, len(genes))), None if labels is None else list(labels), genes)
    return gene_columns(thing, thing.genes, data).tolist()


def test_entrez_ids_are_names():
    ids = ["7157", "6772", "3659", "1", "2"]
    data = screen(genes=ids)
    assert columns(data, ids[::-1]) == [4, 3, 2, 1, 0]
    with pytest.raises(ValueError, match="numbers instead of gene names"):
        columns(data, ["0", "1", "2", "3", "4"])


def test_data_without_names_have_their_own_order_only():
    data = screen(genes=["0", "1", "2", "3", "4"])
    assert columns(data, ["0", "1", "2", "3", "4"], labels=None) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="numbers instead of gene names"):
        columns(data, ["0", "1", "2", "3", "4"])


def test_a_repeated_symbol_is_that_of_one_gene():
    cells = ad.AnnData(
        np.random.default_rng(0).random((60, 3)),
        obs=pd.DataFrame({"perturbation": np.repeat(["ctrl", "A"], 30)}, index=[f"c{i}" for i in range(60)]),
        var=pd.DataFrame({"gene_name": ["A", "B", "B"]}, index=["ENSG01", "ENSG02", "ENSG03"]),
    )
    data = _moments.of(cells)
    with pytest.raises(ValueError, match=r"lacks 1 of the 3 genes of the data \(ENSG0\d\)"):
        columns(data, ["A", "B", "C"])
    assert columns(data, ["ENSG03", "ENSG02", "ENSG01"]) == [2, 1, 0]


def test_repeats_that_nobody_needs_do_no_harm():
    assert columns(screen(), [*GENES, "X", "X"]) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match=r"of `predictions` repeat \(C\)"):
        columns(screen(), [*GENES, "C"])


def test_digits():
    assert digits(pd.Index([0, 1]))
    assert digits(pd.Index(["7157"]))
    assert not digits(pd.Index(["0", "TP53"]))
    assert not digits(pd.Index([]))
