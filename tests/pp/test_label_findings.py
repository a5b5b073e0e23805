"""What a check says of labels."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scpertbias as spb


def checked(labels, **data):
    """What pp.check says of labels, on cells and on their profiles."""
    rng = np.random.default_rng(0)
    obs = pd.DataFrame({"perturbation": labels}, index=[f"c{i}" for i in range(len(labels))])
    genes = ["STAT1", "JAK2", "MT-CO1", "RPS6", "A1BG", "MYC"]
    adata = ad.AnnData(rng.gamma(2, 0.5, (len(labels), len(genes))), obs=obs, var=pd.DataFrame(index=genes))
    spb.pp.check(adata, **data)
    profiles = spb.pp.profiles(adata, **data)
    spb.pp.check(profiles)
    pd.testing.assert_frame_equal(spb.get.labels(adata), spb.get.labels(profiles))
    rows = [spb.get.check(a, check="labels")[["status", "detail"]] for a in (adata, profiles)]
    pd.testing.assert_frame_equal(*rows)
    return rows[0]


def test_the_control_and_combinations():
    rows = checked(["NT"] * 40 + ["STAT1"] * 30 + ["JAK2+STAT1"] * 30)
    assert rows["detail"].tolist() == ["control: 'NT', 40 cells", "1 of 2 perturbations are combinations"]


@pytest.mark.filterwarnings("ignore:obs:UserWarning", "ignore:150 of 250 cells:UserWarning")
def test_what_may_be_misunderstood_is_a_warning():
    rows = checked(["NT"] * 40 + ["STAT1_sg1"] * 30 + ["STAT1_sg2"] * 30 + ["none"] * 30 + ["multiple"] * 120)
    assert rows.loc[rows["status"] == "note", "detail"].tolist() == [
        "120 cells left out: label 'multiple'",
        "30 cells left out: label 'none'",
    ]
    warned = rows.loc[rows["status"] == "warning", "detail"].tolist()
    assert "seems to contain guides" in warned[0]
    assert "150 of 250 cells (60%) are left out" in warned[1]


def test_small_perturbations_are_named():
    rows = checked(["NT"] * 40 + ["STAT1"] * 30 + ["MYC"] * 5)
    assert "1 of 2 perturbations are left out, because they have fewer than 20 cells: MYC" in rows["detail"].tolist()
