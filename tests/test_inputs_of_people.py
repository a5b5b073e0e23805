"""Inputs as people report them: each gives the right value, or one error that names the matter."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import scpertbias as spb

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
    with pytest.warns(UserWarning, match="var_names are Ensembl ids and var holds no symbols: 5 confounder genes"):
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
    with pytest.raises(ValueError, match=r"obs\['size_factors'\].* is no total.*target_sum=1 .* scran"):
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
        with pytest.raises(ValueError, match="X holds cells on different scales: .*natural logarithms"):
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
        with pytest.raises(ValueError, match="proportions" if total == 1 else "normalized counts that were not logged"):
            spb.pp.profiles(scaled)
        np.testing.assert_allclose(spb.pp.profiles(scaled, normalize=True).X, expected, rtol=1e-5)


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
    with pytest.raises(ValueError, match=r"slope of 1.44 .* base 2 .* Multiply the predictions by 0.6931"):
        scored(profiles, means(screen) / np.log(2))
    assert (scored(profiles, means(screen) / np.log(2) * 0.693147181)["l2_ratio"] < 1e-6).all()


@pytest.mark.parametrize("control", ["observed", "predicted"])
def test_predictions_of_another_target_sum(screen, control):
    other = means(logged(counts(), 1e6))
    with pytest.raises(ValueError, match="`predictions` is on another scale"):
        scored(spb.pp.profiles(screen), other, control=control)


def test_exact_changes_from_a_control_that_is_off(screen):
    table = (means(screen) + np.random.default_rng(0).normal(0, 0.3, screen.n_vars)).clip(lower=0)
    with pytest.warns(UserWarning, match="predicted control is off .* Pass control='predicted'"):
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
    with pytest.raises(ValueError, match=r"several levels of 'cell_line' under the same labels \(K562, RPE1\)"):
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
    with pytest.raises(ValueError, match="10 of 10 test perturbations have training cells too"):
        spb.tl.audit(cells, predictions={"x": means(screen).drop("control")}, **QUICK)
