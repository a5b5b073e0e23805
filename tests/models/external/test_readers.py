"""Reading the forms in which predictions come."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from scpertbias import _moments
from scpertbias._models.external.readers import _load, read, table_rows

GENES = pd.Index(["A", "B", "C", "D"])
PREDICTED = np.random.default_rng(1).random((3, 4))


@pytest.fixture
def cells() -> ad.AnnData:
    data = ad.AnnData(np.random.default_rng(0).random((90, 4)), var=pd.DataFrame(index=GENES))
    data.obs_names = [f"c{i}" for i in range(90)]
    data.obs["perturbation"] = np.repeat(["ctrl", "A", "B"], 30)
    return data


def read_rows(cells: ad.AnnData, predictions, **options):
    return read(predictions, cells, _moments.of(cells), **{"obsm": None, **options})


def predicted(**obs) -> ad.AnnData:
    return ad.AnnData(PREDICTED, obs=pd.DataFrame(obs, index=["x", "y", "z"]), var=pd.DataFrame(index=GENES))


@pytest.mark.parametrize("column", ["perturbation", "condition", "target_gene", "gene", "pert"])
def test_column_of_labels(cells, column):
    got = read_rows(cells, predicted(**{column: ["A", "B+ctrl", np.nan]}))
    assert got.labels == ["A", "B+ctrl", ""]
    assert got.are_cells
    np.testing.assert_array_equal(got.values, PREDICTED)


def test_column_that_holds_the_perturbations_is_taken(cells):
    got = read_rows(cells, predicted(condition=["stim", "rest", "rest"], gene=["A", "B", "ctrl"]))
    assert got.labels == ["A", "B", "ctrl"]
    with pytest.raises(
        ValueError, match=r"contain a perturbation of the data.*obs has the columns \['condition', 'who'\]"
    ):
        read_rows(cells, predicted(condition=["stim", "rest", "rest"], who=["A", "B", "ctrl"]))


def test_groupby_comes_first(cells):
    cells.obs["who"] = cells.obs.pop("perturbation")
    screen = _moments.of(cells, groupby="who")
    got = read(predicted(condition=["A", "A", "A"], who=["A", "B", "ctrl"]), cells, screen, obsm=None)
    assert got.labels == ["A", "B", "ctrl"]


def test_backed_file(cells, tmp_path):
    predicted(gene=["A", "B", "A"]).write_h5ad(tmp_path / "p.h5ad")
    got = read_rows(cells, ad.read_h5ad(tmp_path / "p.h5ad", backed="r"))
    np.testing.assert_array_equal(got.values, PREDICTED)


def test_table_in_obsm_brings_its_names(cells):
    cells.obsm["named"] = pd.DataFrame(cells.X[:, ::-1], index=cells.obs_names, columns=list("DCBA"))
    cells.obsm["numbered"] = pd.DataFrame(cells.X, index=cells.obs_names, columns=list("0123"))
    cells.obsm["wide"] = np.zeros((90, 9))
    assert list(read_rows(cells, "named").genes) == list("DCBA")
    assert list(read_rows(cells, "numbered").genes) == list(GENES)
    assert read_rows(cells, "wide").genes is None
    assert read_rows(cells, "named").labels is None


def test_obsm_of_a_predicted_anndata(cells):
    data = predicted(gene=["A", "B", "A"])
    data.obsm["CPA_pred"] = 2 * PREDICTED
    np.testing.assert_array_equal(read_rows(cells, data, obsm="CPA_pred").values, 2 * PREDICTED)
    with pytest.raises(KeyError, match=r"obsm has no entry 'cpa'; choose from \['CPA_pred'\]"):
        read_rows(cells, data, obsm="cpa")
    data.X = None
    with pytest.raises(ValueError, match="has no X. Pass obsm="):
        read_rows(cells, data)
    data.var["gene_name"] = list("WXYZ")
    assert "gene_name" in read_rows(cells, data, obsm="CPA_pred").hint


@pytest.mark.parametrize("name", ["m.pkl", "m.pickle", "m.pt", "m.npy"])
def test_pickles_are_refused_unread(cells, tmp_path, name):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("it was unpickled",))

    import pickle

    (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="unpickling can run any code in the file"):
        read_rows(cells, tmp_path / name)


def test_files_that_cannot_be_read(cells, tmp_path):
    path = tmp_path / "cut.h5ad"
    predicted(gene=["A", "B", "A"]).write_h5ad(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match="cut.h5ad cannot be read"):
        read_rows(cells, path)
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(ValueError, match="empty.csv cannot be read"):
        read_rows(cells, str(tmp_path / "empty.csv"))
    (tmp_path / "a.parquet").write_text("")
    with pytest.raises(ValueError, match="has an unknown file type"):
        read_rows(cells, tmp_path / "a.parquet")


def test_neither_slot_nor_file(cells):
    cells.layers["one"], cells.obsm["two"] = cells.X, cells.X
    with pytest.raises(ValueError, match=r"not a file.*layer 'CPA'.*'one'.*entry 'CPA'.*'two'"):
        read_rows(cells, "CPA")


def test_numbers_survive_a_text_file(cells, tmp_path):
    pd.DataFrame(PREDICTED / 3, ["A", "B", "A+B"], GENES).to_csv(tmp_path / "p.csv")
    np.testing.assert_array_equal(read_rows(cells, tmp_path / "p.csv").values, PREDICTED / 3)


def test_dicts(cells):
    got = read_rows(cells, {"A": PREDICTED, ("A", "B"): PREDICTED[0], "B": PREDICTED[:1]})
    assert got.labels == ["A", "A+B", "B"]
    np.testing.assert_allclose(got.values, [PREDICTED.mean(axis=0), PREDICTED[0], PREDICTED[0]])
    for wrong, message in [
        ({}, "empty dict"),
        ({"A": [1.0, 2.0], "B": [1.0]}, "have different numbers of genes"),
        ({"A": "text"}, r"the values for \['A'\] are not numeric arrays"),
        ({"A": np.zeros((2, 2, 2))}, r"the values for \['A'\] are not numeric arrays"),
        ({"A": np.zeros((0, 4))}, r"the values for \['A'\] are not numeric arrays"),
    ]:
        with pytest.raises(ValueError, match=message):
            read_rows(cells, wrong)


def test_whole_numbers_are_noticed(cells):
    counts = np.array([[0.0, 3.0, 1.0, 0.0]])
    assert read_rows(cells, {"A": counts}).are_integers
    assert read_rows(cells, {"A": np.vstack([counts, 2 * counts + 1])}).are_integers  # though their mean is not
    assert not read_rows(cells, {"A": counts / 2}).are_integers
    assert not read_rows(cells, {"A": counts.clip(max=1)}).are_integers
    assert read_rows(
        cells, ad.AnnData(counts, obs=pd.DataFrame(index=["A"]), var=pd.DataFrame(index=GENES))
    ).are_integers


def test_table_of_words():
    with pytest.raises(ValueError, match=r"`attributions`: the columns \['who'\] of the table are not numeric"):
        table_rows(pd.DataFrame({"who": ["A"], "A": [1.0]}), argument="attributions")


@pytest.mark.parametrize(("suffix", "separator"), [(".csv", ","), (".tsv", "\t"), (".csv.gz", ",")])
def test_a_repeated_column_of_a_file_is_refused_as_in_memory(tmp_path, suffix, separator):
    table = pd.DataFrame(np.ones((2, 3)), index=["A", "B"], columns=["G1", "G2", "G1"])
    path = tmp_path / f"predictions{suffix}"
    table.to_csv(path, sep=separator)
    with pytest.raises(ValueError, match=r"repeat in predictions\..* \(G1\)"):
        _load(path, None)
    table.columns = ["G1", "G2", "G1.1"]  # a name like those that pandas makes
    table.to_csv(path, sep=separator)
    assert _load(path, None).columns.tolist() == ["G1", "G2", "G1.1"]
