"""Labels and columns as people have them: the right answer, or one sentence that names the matter and the fix."""

import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias._cli.main import main


def counts(targets=("TGT0", "TGT1", "TGT2", "TGT3"), n_control=200, n_cells=60, n_genes=60, seed=0):
    """Raw counts: a control, knock-downs with a shared and an own effect, each target measured."""
    rng = np.random.default_rng(seed)
    genes = ["MT-CO1", "MT-ND1", "RPL3", "RPS6", *targets, *(f"G{i}" for i in range(n_genes))]
    base = rng.gamma(0.6, 1, len(genes)) + 0.02
    effect, shared = {"control": np.zeros(len(genes))}, rng.normal(0, 0.3, len(genes))
    for target in targets:
        effect[target] = shared * rng.uniform(0.5, 1.5) + rng.normal(0, 0.5, len(genes))
        effect[target][genes.index(target)] = -2.0
    labels = rng.permutation(np.repeat(["control", *targets], [n_control, *[n_cells] * len(targets)])).astype(object)
    rate = np.array([base * np.exp(effect[label]) for label in labels]) / base.sum()
    x = rng.poisson(rate * rng.lognormal(np.log(3000), 0.3, len(labels))[:, None]).astype(np.float32)
    obs = pd.DataFrame({"perturbation": labels}, index=[f"c{i}" for i in range(len(labels))])
    return ad.AnnData(x, obs=obs, var=pd.DataFrame(index=genes))


def relabeled(adata, relabel, **obs):
    """The same cells with other labels: ``relabel(label, k)`` with k random in 1, 2, 3."""
    k = np.random.default_rng(1).integers(1, 4, adata.n_obs)
    out = adata.copy()
    out.obs["perturbation"] = [relabel(label, i) for label, i in zip(adata.obs["perturbation"], k, strict=True)]
    for name, values in obs.items():
        out.obs[name] = values
    return out


def read(adata, **data):
    """Profiles, and everything that was said."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        profiles = spb.pp.profiles(adata, normalize=True, **data)
    return profiles, " | ".join(str(w.message) for w in caught)


def n_targets(profiles):
    return profiles.obs.loc[~profiles.obs["is_reference"].to_numpy(bool), "n_targets"].astype(int).tolist()


@pytest.fixture(scope="module")
def cells():
    return counts()


@pytest.mark.parametrize(
    "words", [("negative", "multiple"), ("Negative", "doublet"), ("unassigned", "multiplet"), ("no_guide", "*")]
)
def test_words_of_guide_assigners_are_no_perturbations(cells, words):
    u = np.random.default_rng(0).random(cells.n_obs)
    labels = np.where(cells.obs["perturbation"] == "control", "non-targeting", cells.obs["perturbation"]).astype(object)
    labels[u < 0.12], labels[u > 0.9] = words
    adata = cells.copy()
    adata.obs["perturbation"] = labels
    profiles, _ = read(adata)
    assert set(profiles.obs["perturbation"]) == {"non-targeting", "TGT0", "TGT1", "TGT2", "TGT3"}
    plain, _ = read(adata[(u >= 0.12) & (u <= 0.9)].copy())
    np.testing.assert_array_equal(profiles.X, plain.X)
    left_out = spb.get.labels(profiles, meaning="unassigned").set_index("label")["n_cells"].to_dict()
    assert left_out == {words[0]: int((u < 0.12).sum()), words[1]: int((u > 0.9).sum())}


GUIDES = {
    "strand and promoter": lambda label, k: f"{label}_{'+-'[k % 2]}_{1000 + k}.23-P1P2",
    "g1": lambda label, k: f"{label}g{k}",
    "_P1": lambda label, k: f"{label}_P{k}",
    "_a": lambda label, k: f"{label}_{'abc'[k - 1]}",
    "sequence": lambda label, k: f"{label}_{['ACGTTGCA', 'TTGACCGA', 'GGCATTAC'][k - 1]}",
    "(sg1)": lambda label, k: f"{label} (sg{k})",
    "sg before": lambda label, k: f"sg{label}_{k}",
    "-A": lambda label, k: f"{label}-{'ABC'[k - 1]}",
}


@pytest.mark.parametrize("form", GUIDES)
def test_guides_are_one_target_each_and_are_named(cells, form):
    adata = relabeled(cells, lambda label, k: "non-targeting" if label == "control" else GUIDES[form](label, k))
    profiles, said = read(adata, min_cells=5)
    assert "looks like guides" in said
    assert set(n_targets(profiles)) == {1}
    assert profiles.obs.loc[~profiles.obs["is_reference"].to_numpy(bool), "target_measured"].all()
    pooled, said = read(adata, label_map="targets")
    plain, _ = read(cells)
    assert said == ""
    np.testing.assert_allclose(pooled.X, plain.X, atol=1e-12)


def test_guides_of_a_target_are_held_out_together(cells):
    adata = relabeled(cells, lambda label, k: "NT" if label == "control" else f"{label}_sg{k}")
    with pytest.warns(UserWarning, match="hold out all labels of a target together"):
        spb.pp.split(adata, n_folds=4, fractions=(0.5, 0.25, 0.25), min_cells=5)
    target = adata.obs["perturbation"].str.split("_").str[0]
    perturbed = adata.obs[target != "NT"]
    assert (perturbed.groupby(target[target != "NT"])["split"].nunique() == 1).all()
    assert (perturbed.groupby(target[target != "NT"])["split_fold"].nunique() == 1).all()
    assert set(perturbed["split"]) == {"train", "val", "test"}
    adata.obs["split"] = np.where(adata.obs["perturbation"].str.endswith("1"), "test", "train")
    with pytest.warns(UserWarning, match="looks like guides"):
        profiles = spb.pp.profiles(adata, normalize=True, min_cells=5)
    spb.pp.check(profiles)
    detail = spb.get.check(profiles, check="split")["detail"].item()
    assert "4 of 4 held-out perturbations share their target with training perturbations" in detail


@pytest.mark.parametrize("label", ["(+)-JQ1", "TGT1+/-", "TGT1-/-", "CD4+ T", "Ca2+"])
def test_signs_make_no_combination(cells, label):
    adata = relabeled(cells, lambda name, _: label if name == "TGT3" else name)
    profiles, _ = read(adata)
    assert label in set(profiles.obs["perturbation"])
    assert set(n_targets(profiles)) == {1}


def test_classes_of_mixscape_share_their_target(cells):
    adata = relabeled(cells, lambda label, k: "NT" if label == "control" else f"{label} {'NP' if k == 1 else 'KO'}")
    profiles, said = read(adata, min_cells=5)
    assert "classes of cells (such as KO and NP)" in said
    assert "8 labels share 4 targets" in said
    assert len(read(adata, label_map="targets")[0]) == 5
    assert spb.get.labels(profiles, label="TGT0 KO")["targets"].item() == "TGT0"


@pytest.mark.parametrize("sep", [" || ", "||", "-", ":", " & ", "/", "__", "_", "|", ";", ",", "+", " ", ".", " x "])
def test_every_separator_of_known_targets_makes_a_combination(cells, sep):
    adata = relabeled(cells, lambda label, _: {"TGT2": f"TGT0{sep}TGT1", "TGT3": f"TGT1{sep}TGT0"}.get(label, label))
    profiles, _ = read(adata)
    assert sorted(n_targets(profiles)) == [1, 1, 2]
    assert "TGT0+TGT1" in set(profiles.obs["perturbation"])
    assert spb.get.labels(profiles, meaning="combination")["reason"].unique().tolist() == [f"split at {sep!r}"]
    other, _ = read(adata, combination_sep="")
    assert set(n_targets(other)) == {1}


@pytest.mark.parametrize("form", ["{}", "{}.7"], ids=["id", "versioned id"])
@pytest.mark.parametrize("symbols", ["gene_symbols", "gene_name"])
def test_targets_may_be_ensembl_ids(cells, form, symbols):
    ids = {gene: f"ENSG{i:011d}" for i, gene in enumerate(cells.var_names)}
    adata = cells.copy()
    adata.var[symbols] = cells.var_names.to_numpy()
    adata.var_names = [ids[gene] for gene in cells.var_names]
    adata.obs["perturbation"] = [
        form.format(ids[label]) if label in ids else label for label in cells.obs["perturbation"]
    ]
    profiles, said = read(adata)
    assert said == ""
    assert profiles.obs["target_measured"].sum() == 4
    plain, _ = read(cells)
    np.testing.assert_array_equal(profiles.X, plain.X)
    of_label = spb.get.labels(profiles).set_index("targets")["label"]
    assert of_label["TGT0"] == form.format(ids["TGT0"])


def test_controls_in_a_library_of_their_own(cells, tmp_path, capsys):
    batch = np.where(
        cells.obs["perturbation"] == "control", "ctrl_lib", np.tile(["L1", "L2"], cells.n_obs)[: cells.n_obs]
    )
    adata = relabeled(cells, lambda label, _: label, batch=batch)
    with (
        pytest.warns(
            UserWarning, match="240 cells are left out: under 10 control cells in batch 'L1' with 0 control cells"
        ),
        pytest.raises(ValueError, match="No batch holds both control and perturbed cells.*leave batch_key out"),
    ):
        spb.pp.profiles(adata, normalize=True, batch_key="batch")
    _, said = read(adata)
    assert said == "", "it cannot be used, so it is not proposed"
    adata.write_h5ad(tmp_path / "x.h5ad")
    assert main(["audit", str(tmp_path / "x.h5ad"), "--batch", "batch", "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "note: 240 cells are left out" in said, "a warning is not lost when an error follows"
    assert "No batch holds both" in said.splitlines()[-1]


def test_codes_of_a_factor_are_named(cells):
    adata = cells.copy()
    codes = pd.Categorical(cells.obs["perturbation"]).codes
    adata.obs["perturbation"] = codes
    with pytest.raises(ValueError, match="No control was found.*codes of a factor"):
        read(adata)
    profiles, _ = read(adata, reference=int(np.bincount(codes).argmax()))
    np.testing.assert_array_equal(profiles.X[0], read(cells)[0].X[0])


def test_a_split_over_cells_is_refused_for_what_it_is(cells):
    adata = cells.copy()
    adata.obs["split"] = np.random.default_rng(0).choice(["train", "test"], adata.n_obs)
    logged = np.log1p(1e4 * cells.X / cells.X.sum(axis=1, keepdims=True))
    predictions = pd.DataFrame(logged, columns=cells.var_names).groupby(cells.obs["perturbation"].to_numpy()).mean()
    quick = {"models": ("mean",), "regimes": ("full",), "covariates": (), "n_random": 0, "n_boot": 10}
    with pytest.raises(
        ValueError, match=r"every perturbation with 'test' cells in obs\['split'\] has training cells too"
    ):
        spb.tl.audit(adata, predictions={"x": predictions}, normalize=True, **quick)


def test_labels_left_out_are_written_as_text(cells, tmp_path):
    adata = cells.copy()
    labels = adata.obs["perturbation"].to_numpy().copy()
    labels[:30] = "None"
    adata.obs["perturbation"] = labels
    profiles, _ = read(adata)
    profiles.write_h5ad(tmp_path / "p.h5ad")
    for one in (profiles, ad.read_h5ad(tmp_path / "p.h5ad")):
        spb.pp.check(one)
        assert "30 cells left out: label 'None'" in spb.get.check(one, check="labels")["detail"].tolist()


@pytest.mark.parametrize(("pattern", "genes"), [("NT*", ("NTRK1", "NTS")), ("GFP*", ("GFPT1",)), ("CTRL*", ("CTRL",))])
def test_a_pattern_that_takes_genes_is_refused(pattern, genes):
    adata = counts(targets=(*genes, "STAT1"), n_genes=20)
    adata = relabeled(adata, lambda label, k: f"{pattern[:-1]}_{k}" if label == "control" else label)
    narrow = f"{pattern[:-1]}_*"
    if genes == ("CTRL",):  # a gene named like the control: the narrow pattern tells them apart
        narrow = ["CTRL_1", "CTRL_2", "CTRL_3"]
    else:
        with pytest.raises(ValueError, match=f"also matches measured genes.*{genes[0]}"):
            read(adata, reference=pattern)
    profiles, _ = read(adata, reference=narrow)
    assert {*genes, "STAT1"} <= set(profiles.obs["perturbation"])


@pytest.mark.parametrize(
    "column", ["cell_line", "day", "dose", "donor", "treatment", "cell_type", "dataset", "stimulation"]
)
def test_columns_that_may_change_the_control_are_named_once(cells, column):
    adata = relabeled(cells, lambda label, _: label, **{column: np.tile(["a", "b"], cells.n_obs)[: cells.n_obs]})
    quick = {"models": ("mean", "grn_linear"), "regimes": ("full",), "covariates": (), "n_random": 0, "n_boot": 10}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spb.tl.audit(adata, normalize=True, **quick)
    said = [str(w.message) for w in caught if "may change the control" in str(w.message)]
    assert len(said) == 1
    assert f"obs[{column!r}]" in said[0]
    assert "analyze each level apart" in said[0]


def test_cells_with_a_row_for_each_guide_are_refused(cells):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Observation names are not unique")
        twice = ad.concat([cells, relabeled(cells, lambda label, _: "control" if label == "TGT0" else "TGT0")])
        with pytest.raises(
            ValueError, match="440 of 440 cells occur under several labels.*high multiplicity of infection"
        ):
            spb.pp.profiles(twice, normalize=True)


def test_replicates_of_bulk_are_told_that_cells_are_needed():
    rng = np.random.default_rng(0)
    obs = pd.DataFrame({"perturbation": ["NT"] * 24 + ["STAT1"] * 3 + ["JAK2"] * 3}, index=[f"s{i}" for i in range(30)])
    bulk = ad.AnnData(
        rng.poisson(50, (30, 20)).astype("f4"), obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(20)])
    )
    with pytest.raises(ValueError, match="replicates of bulk samples.*single cells are needed, as noise and ceilings"):
        spb.pp.profiles(bulk, normalize=True)
