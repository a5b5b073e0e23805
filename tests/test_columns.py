"""What columns look like by name, and which could be used as a batch."""

import numpy as np
import pandas as pd
import pytest

from scpertbias._columns import levels, likely_batches, role

ROLES = {
    "batch": "batch Batch gem_group gemgroup GEM.group bio_rep replicate Replicate donor donor_id patient lane plate Plate_ID "
    "library sample sample_id orig.ident pool chip channel dataset experiment stimulation stim well",
    "context": "cell_type celltype cell_line cellline Cell_Line tissue organism",
    "time": "day days time timepoint time_point hours age",
    "dose": "dose dose_value concentration conc",
    "label": "perturbation gene target target_gene treatment condition drug compound knockout product_name cytokine",
    "guide": "guide guide_id guide_identity sgRNA sgID_AB gRNA feature_call grna_id",
    "covariate": "pct_counts_mt percent.mt p_mito percent_ribo mt_frac S_score",
    "depth": "total_counts n_counts ncounts nCount_RNA UMI_count n_genes_by_counts nFeature_RNA",
    "outcome": "leiden leiden_1.0 louvain seurat_clusters cluster phase predicted_doublet doublet_score",
    "split": "split fold",
    "": "barcode x CellID quality color",
}


@pytest.mark.parametrize(("expected", "name"), [(kind, name) for kind, text in ROLES.items() for name in text.split()])
def test_roles(expected, name):
    assert role(name) == expected


def screen(n_control=200, n=400, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.r_[np.zeros(n_control), rng.integers(1, 9, n)].astype(np.int64)
    return codes, pd.DataFrame({"gene": codes.astype(str)}), rng


def test_only_what_can_be_used_is_proposed():
    codes, obs, rng = screen()
    obs["batch"] = rng.choice(["a", "b"], len(codes))
    obs["cell_line"] = rng.choice(["K562", "RPE1"], len(codes))
    obs["day"] = rng.choice([1, 2, 3], len(codes))
    obs["dose"] = rng.choice([0.1, 1.0], len(codes))
    obs["well"] = codes.astype(str)  # one perturbation each
    obs["lane"] = np.where(codes == 0, "ctrl_lib", rng.choice(["L1", "L2"], len(codes)))  # no lane holds both
    obs["plate"] = "one"
    obs["sample_id"] = [f"s{i}" for i in range(len(codes))]
    obs["leiden"] = rng.choice(["0", "1"], len(codes))
    obs["condition"] = np.where(codes == 0, "NT", "KO")
    assert likely_batches(obs, codes, "gene") == {
        "batch": "batch",
        "cell_line": "context",
        "day": "time",
        "dose": "dose",
    }


def test_many_wells_with_a_guide_each_are_not_proposed():
    codes, obs, rng = screen()
    obs["well"] = [f"ctrl{i % 8}" if code == 0 else f"w{code}_{rng.integers(2)}" for i, code in enumerate(codes)]
    assert likely_batches(obs, codes, "gene") == {}
    wells = levels(obs["well"], codes)
    assert (wells.n_tested, wells.untested, wells.usable) == (8, 1.0, False)


def test_gaps_are_no_level():
    codes, obs, rng = screen()
    obs["batch"] = pd.Series(rng.choice(["a", "b"], len(codes))).where(rng.random(len(codes)) < 0.9)
    assert levels(obs["batch"], codes).n == 2
    assert levels(obs["batch"].iloc[:0], codes[:0]).usable is False
