"""Inputs as people report them: the right value, or one error or warning that names the matter and the fix.

Labels, values and genes, columns, predictions, and the logic of the audit: each of the reports of ``docs/hard_inputs.md``
that came from public issues, and further inputs of its kind.
"""

import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import scpertbias as spb
from scpertbias._cli.main import main

QUICK = {"covariates": (), "models": ("mean", "ridge"), "regimes": ("full",), "n_random": 0}
TARGETS = tuple(f"TGT{i}" for i in range(10))


def counts(targets=TARGETS, n_control=150, n_cells=40, n_genes=520, seed=0, strength=0.5, depth=3000):
    """Raw counts: a control and knock-downs with a shared and an own effect, each target measured."""
    rng = np.random.default_rng(seed)
    genes = ["MT-CO1", "MT-ND1", "MT-ND2", "RPL3", "RPS6", "RPS8", *targets]
    genes += [f"G{i}" for i in range(n_genes - len(genes))]
    base = rng.gamma(0.6, 1, n_genes) + 0.02
    base[:6] *= 4
    shared = rng.normal(0, strength * 0.6, n_genes)
    effect = {"control": np.zeros(n_genes)}
    for target in targets:
        effect[target] = shared * rng.uniform(0.5, 1.5) + rng.normal(0, strength, n_genes)
        effect[target][genes.index(target)] = -2.0 if strength else 0.0
    labels = rng.permutation(np.repeat(["control", *targets], [n_control, *[n_cells] * len(targets)])).astype(object)
    rate = np.array([base * np.exp(effect[label]) for label in labels]) / base.sum()
    x = rng.poisson(rate * rng.lognormal(np.log(depth), 0.3, len(labels))[:, None]).astype(np.float32)
    obs = pd.DataFrame({"perturbation": labels}, index=[f"c{i}" for i in range(len(labels))])
    return ad.AnnData(x, obs=obs, var=pd.DataFrame(index=genes))


def logged(adata, target_sum=1e4):
    x = np.asarray(adata.X, dtype=np.float64)
    x = np.log1p(x / x.sum(axis=1, keepdims=True) * target_sum)
    return ad.AnnData(x, obs=adata.obs.copy(), var=adata.var.copy())


def means(adata):
    return adata.to_df().groupby(adata.obs["perturbation"].astype(str).to_numpy()).mean()


def of_perturbations(mdata):
    return spb.get.perturbations(mdata).set_index("perturbation")


# -- labels -------------------------------------------------------------------------------------------------------------


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
    return counts(TARGETS[:4], n_control=200, n_cells=60, n_genes=70)


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
    assert "seems to contain guides" in said
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
    with pytest.warns(UserWarning, match="seems to contain guides"):
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
    assert "8 labels belong to 4 targets" in said
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


def test_codes_of_a_factor_are_named(cells):
    adata = cells.copy()
    codes = pd.Categorical(cells.obs["perturbation"]).codes
    adata.obs["perturbation"] = codes
    with pytest.raises(ValueError, match="looks like a control.*levels of a factor by codes"):
        read(adata)
    profiles, _ = read(adata, reference=int(np.bincount(codes).argmax()))
    np.testing.assert_array_equal(profiles.X[0], read(cells)[0].X[0])


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
    adata = counts((*genes, "STAT1"), n_genes=30)
    adata = relabeled(adata, lambda label, k: f"{pattern[:-1]}_{k}" if label == "control" else label)
    narrow = f"{pattern[:-1]}_*"
    if genes == ("CTRL",):  # a gene named like the control: the narrow pattern tells them apart
        narrow = ["CTRL_1", "CTRL_2", "CTRL_3"]
    else:
        with pytest.raises(ValueError, match=f"also matches measured genes.*{genes[0]}"):
            read(adata, reference=pattern)
    profiles, _ = read(adata, reference=narrow)
    assert {*genes, "STAT1"} <= set(profiles.obs["perturbation"])


def test_cells_with_a_row_for_each_guide_are_refused(cells):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Observation names are not unique")
        twice = ad.concat([cells, relabeled(cells, lambda label, _: "control" if label == "TGT0" else "TGT0")])
        with pytest.raises(
            ValueError,
            match="440 of 440 cells occur in several rows with different labels.*high multiplicity of infection",
        ):
            spb.pp.profiles(twice, normalize=True)


def test_replicates_of_bulk_are_told_that_cells_are_needed():
    rng = np.random.default_rng(0)
    obs = pd.DataFrame({"perturbation": ["NT"] * 24 + ["STAT1"] * 3 + ["JAK2"] * 3}, index=[f"s{i}" for i in range(30)])
    bulk = ad.AnnData(
        rng.poisson(50, (30, 20)).astype("f4"), obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(20)])
    )
    with pytest.raises(ValueError, match="bulk replicates.*noise and ceilings"):
        spb.pp.profiles(bulk, normalize=True)


@pytest.mark.parametrize(
    ("labels", "targets"),
    [
        (("TGT0_10uM", "TGT0_1uM", "TGT1_10uM", "TGT1_1uM"), {"TGT0", "TGT1"}),
        (("TGT0_clone1", "TGT0_clone2", "TGT1_clone1", "TGT1_clone2"), {"TGT0", "TGT1"}),
        (("Vorinostat_10", "Vorinostat_100", "JQ1_10", "JQ1_100"), {"Vorinostat", "JQ1"}),
    ],
)
def test_doses_and_clones_share_their_target(cells, labels, targets):
    of = dict(zip(TARGETS[:4], labels, strict=True))
    profiles, said = read(relabeled(cells, lambda label, _: of.get(label, label)))
    assert len(profiles) == 5
    assert "4 labels belong to 2 targets" in said
    assert set(spb.get.labels(profiles).set_index("label").loc[list(labels), "targets"]) == targets


# -- features and genes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["CRISPR Guide Capture", "Antibody Capture", "Multiplexing Capture"])
def test_guide_captures_among_the_genes_move_nothing(kind):
    plain = counts(strength=0.0)
    rng = np.random.default_rng(5)
    guides = rng.poisson(0.05, (plain.n_obs, len(TARGETS))).astype(np.float32)
    of_cell = plain.obs["perturbation"].to_numpy()[:, None] == np.array(TARGETS)
    guides += of_cell * rng.poisson(40, guides.shape)
    var = pd.DataFrame(
        {"feature_types": ["Gene Expression"] * plain.n_vars + [kind] * len(TARGETS)},
        index=[*plain.var_names, *(f"{t}_sg1" for t in TARGETS)],
    )
    adata = ad.AnnData(sparse.csr_matrix(np.hstack([plain.X, guides])), obs=plain.obs, var=var)
    with_guides = spb.tl.audit(adata, normalize=True, **QUICK)
    expected = spb.tl.audit(plain, normalize=True, **QUICK)
    assert (of_perturbations(with_guides)["kind"] == "not detected").all()
    pd.testing.assert_frame_equal(of_perturbations(with_guides), of_perturbations(expected))
    assert any(f"{len(TARGETS)} {kind}" in note for note in with_guides.uns["scpertbias"]["audit"]["notes"])
    assert adata.n_vars == plain.n_vars + len(TARGETS)


def test_of_two_columns_of_a_symbol_the_expressed_one_is_the_target():
    plain = logged(counts())
    ids = plain.copy()
    ids.var["gene_name"] = ids.var_names.to_numpy()
    ids.var_names = [f"ENSG{i:011d}" for i in range(ids.n_vars)]
    silent = pd.DataFrame({"gene_name": ["TGT0", "TGT1"]}, index=["ENSG90000000000", "ENSG90000000001"])
    copies = ad.AnnData(np.zeros((ids.n_obs, 2)), obs=ids.obs, var=silent)
    both = ad.concat([copies, ids], axis=1, merge="first")
    z, expected = (of_perturbations(spb.tl.audit(a, **QUICK))["target_z"] for a in (both, plain))
    np.testing.assert_allclose(z[["TGT0", "TGT1"]], expected[["TGT0", "TGT1"]], rtol=1e-6)
    assert (z[["TGT0", "TGT1"]] < -5).all()


SPELLINGS = {
    "points": lambda g: g.replace("-", "."),
    "underscores": lambda g: g.replace("-", "_"),
    "half in capitals": lambda g: g.replace("MT-", "Mt-"),
    "a genome before them": lambda g: f"GRCh38---{g}",
    "mouse": lambda g: f"mt-{g[3:].capitalize()}" if g.startswith("MT-") else g.capitalize(),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_regimes_do_not_depend_on_the_spelling_of_genes(name):
    adata = logged(counts())
    adata.var_names = [SPELLINGS[name](g) for g in adata.var_names]
    mdata = spb.tl.audit(adata, **(QUICK | {"regimes": ("full", "no_mt", "no_mt_ribo")}))
    assert {regime: mdata[regime].n_vars for regime in mdata.mod} == {"full": 520, "no_mt": 517, "no_mt_ribo": 514}


def test_regimes_are_made_of_ensembl_ids_without_symbols():
    ids = {"MT-CO1": "ENSG00000198804", "MT-ND1": "ENSG00000198888", "MT-ND2": "ENSG00000198763.3"}
    ids |= {"RPS6": "ENSG00000137154", "RPL3": "ENSG00000100316"}
    adata = logged(counts())
    adata.var_names = [ids.get(g, f"ENSG9{i:010d}") for i, g in enumerate(adata.var_names)]
    with pytest.warns(UserWarning, match="var has no column of gene symbols. Therefore 5 confounder genes"):
        mdata = spb.tl.audit(adata, **(QUICK | {"regimes": ("full", "no_mt", "no_mt_ribo")}))
    assert {regime: mdata[regime].n_vars for regime in mdata.mod} == {"full": 520, "no_mt": 517, "no_mt_ribo": 515}


def test_a_gene_seen_in_three_control_cells_leads_no_list():
    adata = logged(counts(strength=0.2))
    rare = np.zeros(adata.n_obs)
    rare[np.flatnonzero(adata.obs["perturbation"] == "control")[:3]] = 5.0
    rare[np.flatnonzero(adata.obs["perturbation"] == "TGT1")[:4]] = 6.0
    adata.X[:, -1] = rare
    profiles = spb.pp.profiles(adata)
    spb.pp.check(profiles)
    top = spb.get.check(profiles)["top_genes"].str.replace("[↑↓]", "", regex=True).str.split()
    assert not any(adata.var_names[-1] in genes for genes in top)


@pytest.mark.parametrize("seed", range(3))
def test_a_panel_of_few_genes_without_effect(seed):
    rng = np.random.default_rng(seed)
    label = ["control"] * 400 + [f"P{p}x" for p in range(20) for _ in range(100)]
    x = np.log1p(rng.poisson(rng.gamma(0.7, 3, 28) + 0.2, (len(label), 28)))
    obs = pd.DataFrame({"perturbation": label}, index=[f"c{i}" for i in range(len(label))])
    profiles = spb.pp.profiles(ad.AnnData(x, obs, pd.DataFrame(index=[f"GENE{i}" for i in range(28)])))
    spb.pp.check(profiles)
    table = spb.get.check(profiles).query("check == 'perturbation'")
    assert (table["q"] <= 0.05).sum() <= 1


# -- values --------------------------------------------------------------------------------------------------------


def test_scran_factors_are_refused_or_taken_as_what_they_are():
    adata = counts(seed=2)
    total = adata.X.sum(axis=1)
    adata.obs["size_factors"] = total / total.mean()
    with pytest.raises(ValueError, match=r"obs\['size_factors'\].* are not totals.* scran, pass target_sum=1"):
        spb.tl.audit(adata, normalize=True, size_factors="size_factors", **QUICK)
    profiles = spb.pp.profiles(adata, normalize=True, size_factors="size_factors", target_sum=1)
    control = (adata.obs["perturbation"] == "control").to_numpy()
    by_hand = np.log1p(adata.X[control] / adata.obs["size_factors"].to_numpy()[control, None]).mean(axis=0)
    np.testing.assert_allclose(profiles["control"].X.ravel(), by_hand, rtol=1e-5)


@pytest.mark.parametrize("part", [0.5, 0.05])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("order", ["joined", "mixed"])
def test_counts_and_logs_in_one_matrix(part, form, order):
    adata = counts()
    mixed = logged(adata)
    n = int(part * adata.n_obs)
    rows = np.arange(n) if order == "joined" else np.random.default_rng(0).choice(adata.n_obs, n, replace=False)
    mixed.X[rows] = adata.X[rows]
    mixed.X = form(mixed.X)
    for given in ({}, {"normalize": True}):
        with pytest.raises(ValueError, match="X contains cells on different scales: .*natural logarithms"):
            spb.tl.audit(mixed, **given, **QUICK)


@pytest.mark.parametrize("depth", [3000, 1200, 500])
def test_counts_corrected_for_ambient_rna(depth):
    adata = counts(depth=depth)
    adata.X = np.where(adata.X > 0, np.maximum(adata.X - 0.07 * adata.X.mean(0), 0.03), 0).astype(np.float32)
    with pytest.raises(ValueError, match="too large for log-normalized values.*ambient RNA.*normalize=True"):
        spb.tl.audit(adata, **QUICK)
    normalized = spb.pp.profiles(adata, normalize=True)
    np.testing.assert_allclose(normalized.X, spb.pp.profiles(logged(adata)).X, rtol=1e-5)


def test_normalized_counts_and_proportions_give_what_counts_give():
    adata = counts()
    expected = spb.pp.profiles(adata, normalize=True).X
    for total in (1.0, 1e4, 1e6):
        scaled = adata.copy()
        scaled.X = adata.X / adata.X.sum(axis=1, keepdims=True) * total
        with pytest.raises(ValueError, match="proportions" if total == 1 else "normalized counts without a logarithm"):
            spb.pp.profiles(scaled)
        np.testing.assert_allclose(spb.pp.profiles(scaled, normalize=True).X, expected, rtol=1e-5)


@pytest.mark.parametrize("normalize", [False, True])
def test_spike_ins_move_nothing(normalize):
    plain = counts()
    spikes = np.random.default_rng(0).poisson(50, (plain.n_obs, 4)).astype(np.float32)
    adata = ad.AnnData(
        np.hstack([plain.X, spikes]),
        obs=plain.obs,
        var=pd.DataFrame(index=[*plain.var_names, *(f"ERCC-0000{i}" for i in range(4))]),
    )
    if not normalize:
        plain, adata.X = logged(plain), np.hstack([logged(plain).X, np.log1p(spikes)])
    profiles = spb.pp.profiles(adata, normalize=normalize)
    np.testing.assert_allclose(profiles.X, spb.pp.profiles(plain, normalize=normalize).X, rtol=1e-5)


@pytest.mark.parametrize("total", [100, 1000])
def test_cells_of_round_totals_are_one_scale(total):
    rng, plain = np.random.default_rng(0), counts(n_genes=60)
    x = np.array([rng.multinomial(total, row / row.sum()) for row in plain.X.astype(float)], dtype=np.float32)
    expected = spb.pp.profiles(ad.AnnData(x, plain.obs, plain.var), normalize=True)
    adata = ad.AnnData(x * np.float32(1e4 / total), plain.obs, plain.var)
    with pytest.raises(ValueError, match="normalized counts without a logarithm"):
        spb.pp.profiles(adata)
    np.testing.assert_allclose(spb.pp.profiles(adata, normalize=True).X, expected.X, rtol=1e-5)


# -- columns ------------------------------------------------------------------------------------------------------------


def test_controls_in_a_library_of_their_own(cells, tmp_path, capsys):
    batch = np.where(
        cells.obs["perturbation"] == "control", "ctrl_lib", np.tile(["L1", "L2"], cells.n_obs)[: cells.n_obs]
    )
    adata = relabeled(cells, lambda label, _: label, batch=batch)
    with (
        pytest.warns(
            UserWarning,
            match="240 cells are left out, because their batch has fewer than 10 control cells: batch 'L1' with 0 control",
        ),
        pytest.raises(ValueError, match="No batch contains both control and perturbed cells.*omit batch_key"),
    ):
        spb.pp.profiles(adata, normalize=True, batch_key="batch")
    _, said = read(adata)
    assert said == "", "it cannot be used, so it is not proposed"
    adata.write_h5ad(tmp_path / "x.h5ad")
    assert main(["audit", str(tmp_path / "x.h5ad"), "--batch", "batch", "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "note: 240 cells are left out" in said, "a warning is not lost when an error follows"
    assert "No batch contains both" in said.splitlines()[-1]


@pytest.mark.parametrize(
    "column", ["cell_line", "day", "dose", "donor", "treatment", "cell_type", "dataset", "stimulation"]
)
def test_columns_that_may_change_the_control_are_named_once(cells, column):
    adata = relabeled(cells, lambda label, _: label, **{column: np.tile(["a", "b"], cells.n_obs)[: cells.n_obs]})
    quick = {"models": ("mean", "grn_linear"), "regimes": ("full",), "covariates": (), "n_random": 0}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spb.tl.audit(adata, normalize=True, batch_key=None, **quick)
    said = [str(w.message) for w in caught if "differences between the levels of" in str(w.message)]
    assert len(said) == 1
    assert f"obs[{column!r}]" in said[0]
    assert "analyze each level separately" in said[0]


@pytest.mark.parametrize("of_control", ["one level each", "few in one"])
def test_columns_that_cannot_be_used_are_not_proposed(cells, of_control):
    control = (cells.obs["perturbation"] == "control").to_numpy()
    donor = np.where(control, "a", np.tile(["a", "b"], cells.n_obs)[: cells.n_obs])
    if of_control == "few in one":
        donor[np.flatnonzero(control)[:9]] = "b"
    _, said = read(relabeled(cells, lambda label, _: label, donor=donor))
    assert said == ""
    donor[np.flatnonzero(control)[:10]] = "b"
    _, said = read(relabeled(cells, lambda label, _: label, donor=donor))
    assert "obs['donor']" in said


def test_wells_with_one_guide_each_are_not_proposed(cells):
    _, said = read(relabeled(cells, lambda label, _: label, well=[f"w_{x}" for x in cells.obs["perturbation"]]))
    assert said == ""


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_reproducible_in_batches_of_few_controls(seed):
    rng = np.random.default_rng(seed)
    rows = [(f"b{b}", "control") for b in range(6) for _ in range(20)]
    rows += [(f"b{p // 5}", f"G{p}") for p in range(30) for _ in range(40)]
    obs = pd.DataFrame(rows, columns=["batch", "perturbation"], index=[f"c{i}" for i in range(len(rows))])
    x = rng.poisson(rng.gamma(0.5, 4, 500) + 0.2, (len(obs), 500)).astype(np.float32)
    adata = ad.AnnData(x, obs, pd.DataFrame(index=[f"GENE{i}" for i in range(500)]))
    profiles = spb.pp.profiles(adata, batch_key="batch", normalize=True)
    spb.pp.check(profiles)
    assert (spb.get.check(profiles, check="perturbation")["reproducibility"] >= 0.3).sum() <= 2


# -- predictions ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def screen():
    adata = logged(counts())
    adata.obs["split"] = np.where(adata.obs["perturbation"].isin(TARGETS[:4]), "test", "train")
    return adata


def scored(profiles, table, **given):
    q = spb.tl.add_predictions(profiles, table, key_added="x", copy=True, **given)
    spb.tl.fit_mean(q)
    spb.tl.score(q)
    scores = spb.get.scores(q)
    return scores[(scores["model"] == "x") & (scores["split"] == "test")]


def test_predictions_in_log2(screen):
    profiles = spb.pp.profiles(screen)
    with pytest.raises(ValueError, match=r"logarithms to base 2.* slope .* 1.44 .* Multiply the predictions by 0.6931"):
        scored(profiles, means(screen) / np.log(2))
    assert (scored(profiles, means(screen) / np.log(2) * 0.693147181)["l2_ratio"] < 1e-6).all()


@pytest.mark.parametrize("control", ["observed", "predicted"])
def test_predictions_of_another_target_sum(screen, control):
    other = means(logged(counts(), 1e6))
    with pytest.raises(ValueError, match="`predictions` (has another scale|seems to have logarithms)"):
        scored(spb.pp.profiles(screen), other, control=control)


def test_exact_changes_from_a_control_that_is_off(screen):
    table = (means(screen) + np.random.default_rng(0).normal(0, 0.3, screen.n_vars)).clip(lower=0)
    with pytest.warns(UserWarning, match="predicted control differs .* pass control='predicted'"):
        off = spb.tl.audit(screen, predictions={"x": table}, **QUICK)
    profiles = spb.pp.profiles(screen)
    spb.tl.add_predictions(profiles, table, key_added="x", control="predicted")
    mended = spb.tl.audit(profiles, **(QUICK | {"models": ("mean", "x")}))
    skill = [
        spb.get.summary(m, subset="all", metric="l2_skill").set_index("model").loc["x", "estimate"]
        for m in (off, mended)
    ]
    assert skill[0] < 0.9
    assert skill[1] > 0.95


def test_predictions_of_several_cell_lines(screen):
    own = means(screen)
    other = (own + np.random.default_rng(0).normal(0, 0.5, screen.n_vars)).clip(lower=0)
    obs = {"perturbation": [*own.index] * 2, "cell_line": np.repeat(["K562", "RPE1"], len(own))}
    obs = pd.DataFrame(obs, index=[f"p{i}" for i in range(2 * len(own))])
    predicted = ad.AnnData(np.vstack([own, other]), var=pd.DataFrame(index=own.columns), obs=obs)
    with pytest.raises(ValueError, match=r"each level of the column 'cell_line' \(K562, RPE1\)"):
        spb.tl.add_predictions(spb.pp.profiles(screen), predicted, key_added="x")
    cells = screen.copy()
    cells.obs["cell_line"] = "K562"
    spb.tl.add_predictions(cells, predicted, key_added="x", batch_key=[])
    taken = spb.get.predictions(cells, "x").loc[list(TARGETS), own.columns]
    np.testing.assert_allclose(taken, own.loc[list(TARGETS)], atol=1e-5)


def test_a_gene_twice_in_the_header_of_a_file(screen, tmp_path):
    profiles, table = spb.pp.profiles(screen), means(screen).drop("control")
    twice = table.copy()
    twice.insert(0, "first", 9.0)
    twice.columns = ["G5", *table.columns]
    twice.to_csv(tmp_path / "p.csv")
    before = profiles.copy()
    for predictions in (twice, tmp_path / "p.csv"):
        with pytest.raises(ValueError, match=r"repeat.*G5"):
            spb.tl.add_predictions(profiles, predictions, key_added="x")
    assert list(profiles.layers) == list(before.layers)
    assert profiles.uns.keys() == before.uns.keys()


def test_a_split_of_cells_is_named(screen):
    cells = screen.copy()
    cells.obs["split"] = np.random.default_rng(0).choice(["train", "test"], cells.n_obs)
    with pytest.raises(
        ValueError, match=r"every perturbation with 'test' cells in obs\['split'\] has training cells, too"
    ):
        spb.tl.audit(cells, predictions={"x": means(screen).drop("control")}, **QUICK)


def test_predictions_by_id_and_in_another_order(screen):
    table = means(screen).drop("control")
    ids = {gene: f"ENSG{i:011d}" for i, gene in enumerate(screen.var_names)}
    cells = screen.copy()
    cells.var["gene_name"] = cells.var_names.to_numpy()
    cells.var_names = [ids[gene] for gene in cells.var_names]
    profiles = spb.pp.profiles(cells)
    of_ids = table.rename(index=lambda label: f"{ids[label]}.3", columns=ids).iloc[::-1, ::-1]
    for predictions in (table, of_ids):
        assert (scored(profiles, predictions)["l2_ratio"] < 1e-6).all()


def test_one_row_of_changes_among_expression(screen):
    table = means(screen)
    table.loc["TGT2"] -= table.loc["control"]
    with pytest.raises(ValueError, match=r"`predictions`.*TGT2"):
        scored(spb.pp.profiles(screen), table)


# -- the logic of the audit ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("net", [[("G1", "G2"), ("G3", "G4")], []])
def test_models_of_a_net_that_touches_no_perturbed_gene_are_not_assessed(screen, net):
    edges = pd.DataFrame(net, columns=["source", "target"], dtype=object)
    quick = QUICK | {"models": ("mean", "ridge", "grn_linear", "two_stage")}
    mdata = spb.tl.audit(screen, edges, **quick)
    graph_models = ("grn_linear_perturbations", "two_stage_perturbations")
    left_out = set(spb.get.models_left_out(mdata)["model"])
    stored = mdata["full"].uns["scpertbias"]["models"]
    for name in graph_models:
        assert name in left_out or stored[name]["constant"]


@pytest.mark.parametrize("seed", range(2))
def test_strong_responses_that_are_orthogonal_share_no_axis(seed):
    rng = np.random.default_rng(seed)
    effect = np.zeros((12, 600))
    for p, block in enumerate(np.array_split(rng.permutation(600), 12)):
        effect[p, block] = rng.normal(0, 1, len(block)) * (3.0 if p < 3 else 0.05)
    labels = ["control"] * 2000 + [f"G{p}" for p in range(12) for _ in range(150)]
    y = rng.uniform(0.3, 2, 600) + rng.normal(0, 0.5, (len(labels), 600))
    y[2000:] += np.repeat(effect, 150, axis=0)
    obs = pd.DataFrame({"perturbation": labels}, index=[f"c{i}" for i in range(len(labels))])
    profiles = spb.pp.profiles(
        ad.AnnData(np.clip(y, 0, None), obs, pd.DataFrame(index=[f"GENE{i}" for i in range(600)]))
    )
    spb.tl.confounding(profiles)
    row = spb.get.confounding(profiles).query("level == 'screen' and axis == 'systematic'").iloc[0]
    assert not np.isfinite(row["share"]) or (row["share"] <= 0.1 and row["ci_low"] <= row["share"] <= row["ci_high"])
