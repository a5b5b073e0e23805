"""Predictions with the same labels for several cell lines, doses or times."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from scpertbias._models.external.contexts import rows_of_one_context

LABELS = ["ctrl", "A", "B", "C"]


def predicted(n_cells=1, **columns):
    """Rows of every label for each level of the first column."""
    (first, levels), *_ = columns.items()
    labels = np.tile(np.repeat(LABELS, n_cells), len(levels))
    obs = pd.DataFrame({"perturbation": labels, first: np.repeat(list(levels), n_cells * len(LABELS))})
    obs.index = obs.index.astype(str)
    return ad.AnnData(np.zeros((len(obs), 2)), obs=obs)


def data(**columns):
    n = max([len(v) for v in columns.values()], default=1)
    return ad.AnnData(np.zeros((n, 2)), obs=pd.DataFrame(columns, index=[f"c{i}" for i in range(n)]))


def keep(pred, own):
    return rows_of_one_context(pred, pred.obs["perturbation"].tolist(), np.ones(pred.n_obs, dtype=bool), own)


@pytest.mark.parametrize(
    "column", ["cell_line", "cell_type", "celltype", "Tissue", "dose_val", "time", "donor_id", "covariate"]
)
@pytest.mark.parametrize("n_cells", [1, 7])
def test_contexts_are_not_averaged_in_silence(column, n_cells):
    pred = predicted(n_cells, **{column: ["x", "y"]})
    message = (
        rf"one for each level of the column '{column}' \(x, y\).*Pass the rows of one level: (predictions\[.*\])\."
    )
    with pytest.raises(ValueError, match=message) as error:
        keep(pred, data())
    # What it proposes is taken.
    line = str(error.value).split("Pass the rows of one level: ")[1].rstrip(".")
    one = eval(line, {"predictions": pred})
    assert keep(one, data()).all()
    assert one.n_obs == len(pred) / 2


def test_profiles_by_a_column_of_any_name():
    with pytest.raises(ValueError, match="each level of the column 'line'"):
        keep(predicted(1, line=["K562", "RPE1"]), data())
    assert keep(predicted(5, well=["w1", "w2"]), data()).all()  # cells in wells
    assert keep(predicted(1, gem_group=["1", "2"]), data()).all()  # batches are averaged


def test_those_of_the_data_are_taken():
    pred = predicted(3, cell_line=["K562", "RPE1"])
    assert pred[keep(pred, data(cell_line=["RPE1"] * 4))].obs["cell_line"].unique().tolist() == ["RPE1"]
    assert keep(pred, data(cell_line=["K562", "RPE1"])).all()  # the data hold both, too
    with pytest.raises(ValueError, match="each level of the column"):
        keep(pred, data(cell_line=["HEK293"]))
    with pytest.raises(ValueError, match="each level of the column"):
        keep(predicted(3, cell_line=["K562", "RPE1", "A549"]), data(cell_line=["K562", "RPE1"]))


def test_doses_that_are_numbers():
    with pytest.raises(ValueError, match=r"each level of the column 'dose' \(0.1, 1.0\)"):
        keep(predicted(2, dose=[0.1, 1.0]), data())


def test_what_is_no_context():
    pred = predicted(4, cell_line=["K562"])
    pred.obs["condition"] = pred.obs["perturbation"] + "+ctrl"  # another spelling of the label
    pred.obs["n_counts"] = np.arange(pred.n_obs)
    assert keep(pred, data()).all()
    by_label = predicted(2, cell_line=["K562", "RPE1"])
    by_label.obs["cell_line"] = np.where(by_label.obs["perturbation"].isin(["ctrl", "A"]), "K562", "RPE1")
    assert keep(by_label, data()).all()
    assert by_label.obs["cell_line"].nunique() == 2


def test_labels_that_the_data_do_not_have_do_not_count():
    pred = predicted(1, cell_line=["K562", "RPE1"])
    known = (pred.obs["cell_line"] == "K562").to_numpy()
    assert rows_of_one_context(pred, pred.obs["perturbation"].tolist(), known, data()).all()
