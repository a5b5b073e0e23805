"""What is wrong with a screen is found, and said plainly."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _moments
from scpertbias.pp._check import strongest

COLUMNS = [
    *("check", "perturbation", "status", "n_cells", "reproducibility"),
    *("reproducibility_guides", "squared_effect", "response_share", "p", "q", "top_genes", "detail"),
]


def table(adata, **kwargs) -> pd.DataFrame:
    spb.pp.check(adata, **kwargs)
    return spb.get.check(adata)


def per(adata, **kwargs) -> pd.DataFrame:
    found = table(adata, **kwargs)
    return found[found["check"] == "perturbation"].set_index("perturbation")


def said(adata, check, **kwargs) -> list[tuple[str, str]]:
    found = table(adata, **kwargs)
    found = found[found["check"] == check]
    return list(zip(found["status"], found["detail"], strict=True))


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    return table(spb.ds.papalexi_2021(), batch_key="bio_rep")


def test_real_screen_strongest_genes(real):
    strongest = real.loc[real["perturbation"] == "IFNGR1", "top_genes"].item()
    assert {"PSMB9↓", "STAT1↓", "UBE2L6↓", "JAK2↓"} <= set(strongest.split())


@pytest.mark.parametrize(
    ("check", "status", "words"),
    [
        ("labels", "ok", "control: 'non-targeting', 2386 cells"),
        ("genes", "ok", "5 mitochondrial (MT-) genes are measured"),
        ("genes", "warning", "no ribosomal genes are measured"),
        ("genes", "ok", "9 of 25 perturbed genes are measured"),
        ("batches", "ok", "bio_rep (3 batches)"),
        ("split", "note", "no perturbation is held out"),
        (
            "response",
            "warning",
            "14 of 25 perturbations have a detected effect (q at most 0.05)",
        ),
        (
            "response",
            "warning",
            "5 of 25 perturbations make up 80% of the response: STAT1, JAK2, IFNGR2, IFNGR1, SMAD4",
        ),
    ],
)
def test_real_screen_findings(real, check, status, words):
    rows = real[real["check"] == check]
    hits = rows[rows["detail"].str.contains(words, regex=False)]
    assert hits["status"].tolist() == [status], rows[["status", "detail"]]


def test_real_screen_one_row_a_perturbation(real):
    assert real.columns.tolist() == COLUMNS
    rows = real[real["check"] == "perturbation"]
    assert len(rows) == rows["perturbation"].nunique() == 25
    assert rows["response_share"].sum() == pytest.approx(1)
    assert ((rows["status"] == "note") == (rows["q"] > 0.05)).all()
    assert set(rows.loc[rows["status"] == "note", "detail"]) <= {
        "no effect detected (q above 0.05)",
        "no effect detected, except on its target gene (q above 0.05)",
    }
    assert rows["reproducibility"].between(0, 1).all()


def test_numbers_by_hand(cells):
    """From the profiles: the squared effect less its noise, and how the noise and it compare."""
    found = per(cells)
    profiles = spb.pp.profiles(cells)
    n, var, mean = profiles.obs["n_cells"], profiles.to_df("var"), profiles.to_df()
    effects = (mean - mean.loc["control"]).loc[found.index]
    own, control = (var.div(n, axis=0)).loc[found.index], var.loc["control"] / n["control"]
    noise = own.sum(axis=1) + control.sum()
    energy = (effects**2).sum(axis=1) - noise
    np.testing.assert_allclose(found["squared_effect"], energy)
    np.testing.assert_allclose(found["response_share"], energy / energy.sum())
    np.testing.assert_allclose(found["reproducibility"], energy.clip(lower=0) / (energy.clip(lower=0) + noise))
    pooled = var.mul(n - 1, axis=0).sum() / (n - 1).sum()
    for name in found.index:
        error = np.maximum(var.loc[name], pooled) / n[name] + np.maximum(var.loc["control"], pooled) / n["control"]
        z = effects.loc[name] / np.sqrt(error)
        top = z.abs().sort_values(ascending=False).index[:5]
        assert found.loc[name, "top_genes"] == " ".join(gene + ("↑" if z[gene] > 0 else "↓") for gene in top)
    assert found["n_cells"].tolist() == [40] * 6


@pytest.mark.parametrize("batch_key", [None, "run"])
def test_status_is_that_of_the_detection(cells, batch_key):
    found = per(cells, batch_key=batch_key)
    detection = _moments.of(cells, batch_key=batch_key).detection
    for column in ("squared_effect", "reproducibility", "p", "q"):
        np.testing.assert_allclose(found[column], getattr(detection, column)[1:])
    assert (found["status"] == np.where(detection.detected[1:], "ok", "note")).all()


def null_screen(seed, *, nested):
    """Thirty perturbations without any effect in three batches that differ; nested: each in one batch only."""
    rng = np.random.default_rng(seed)
    label = np.repeat(["control", *(f"P{i}" for i in range(30))], [150, *[30] * 30])
    batch = np.arange(len(label)) % 3
    if nested:
        batch[150:] = np.repeat(np.arange(30) % 3, 30)
    log_rate = rng.normal(-0.5, 1.2, 100) + rng.normal(size=(len(label), 2)) @ rng.normal(0, 0.3, (2, 100))
    counts = rng.poisson(np.exp(log_rate + rng.normal(0, 0.7, (3, 100))[batch]))
    obs = pd.DataFrame({"perturbation": label, "lot": np.array(["a", "b", "c"])[batch]})
    return ad.AnnData(np.log1p(counts.astype(np.float64)), obs=obs.set_axis([f"c{i}" for i in range(len(label))]))


@pytest.mark.parametrize("nested", [False, True])
def test_batches_alone_are_no_effect(nested):
    """Where the halves of a perturbation share their control, batches nested in labels seemed an effect in 30 of 30."""
    n_any = 0
    for seed in range(40):
        screen = _moments.of(null_screen(seed, nested=nested), batch_key="lot")
        n_any += bool(screen.detection.detected.any())
    assert n_any <= 6  # 5 % of 40, and three standard errors
    found = table(null_screen(0, nested=nested), batch_key="lot")
    first, second = (detail for detail in found.loc[found["check"] == "response", "detail"])
    assert first == "0 of 30 perturbations have a detected effect (q at most 0.05)"
    assert second == "the screen has no reproducible response, so models cannot be evaluated on it"


def test_cells_and_profiles_agree(cells):
    cells.obs["split"] = np.where(cells.obs["perturbation"] == "STAT1", "test", "train")
    profiles = spb.pp.profiles(cells, batch_key="run")
    pd.testing.assert_frame_equal(table(cells, batch_key="run"), table(profiles))


def test_rows_of_one_perturbation_are_summed_over_splits(cells):
    alone = per(cells)
    spb.pp.split(cells, unit="cell", fractions=(0.5, 0.25, 0.25))
    found = per(cells)
    assert found["n_cells"].tolist() == alone["n_cells"].tolist() == [40] * 6
    # the halves are dealt anew within splits, so estimates move, within their error
    assert np.corrcoef(found["squared_effect"], alone["squared_effect"])[0, 1] > 0.9


def test_labels(make_cells):
    cells = make_cells(targets=("JAK2", "MYC", "STAT1", "JAK2+MYC"))
    labels = cells.obs["perturbation"].astype(object)
    labels.iloc[np.flatnonzero(labels == "MYC")[:25]] = "unassigned"
    labels.iloc[np.flatnonzero(labels == "JAK2")[:3]] = np.nan
    cells.obs["perturbation"] = labels
    assert said(cells, "labels") == [
        ("ok", "control: 'control', 90 cells"),
        ("note", "25 cells left out: label 'unassigned'"),
        ("note", "3 cells left out: no label"),
        ("warning", "1 of 4 perturbations are left out, because they have fewer than 20 cells: MYC"),
        ("ok", "1 of 4 perturbations are combinations"),
    ]
    found = per(cells)
    assert found.loc["MYC", ["status", "detail"]].tolist() == [
        "warning",
        "left out: 15 cells, fewer than min_cells=20",
    ]
    assert np.isnan(found.loc["MYC", "response_share"])
    assert found["response_share"].sum() == pytest.approx(1)
    assert " of 3 perturbations have a detected effect" in said(cells, "response")[0][1]


def test_batches_that_were_not_given(cells):
    assert said(cells, "batches") == [
        ("ok", "`batch_key` was not given, and no column of obs looks like a usable batch")
    ]
    cells.obs["batch"] = cells.obs.pop("run")
    with pytest.warns(UserWarning, match="differences between the levels of"):
        (finding,) = said(cells, "batches")
    assert finding == (
        "warning",
        "`batch_key` was not given, so differences between the levels of batch (a batch) count as effects",
    )
    with pytest.warns(UserWarning, match="differences between the levels of"):
        profiles = spb.pp.profiles(cells)
    assert said(profiles, "batches") == [finding], "profiles remember it"
    assert said(spb.pp.profiles(cells, batch_key="batch"), "batches")[0][1].endswith("own batch (2 batches)")


def test_a_batch_column_of_one_level_is_named(cells):
    cells.obs["lot"], cells.obs["batch"] = "a", 1
    assert said(cells, "batches") == [
        ("note", "`batch_key` was not given, and columns with the name of a batch have only one level: batch")
    ]
    note = [("note", "the batch column lot has only one level, so it changes no comparison")]
    assert said(cells, "batches", batch_key="lot") == note
    profiles = spb.pp.profiles(cells, batch_key="lot")
    assert said(profiles, "batches") == note, "profiles remember it"
    cells.obs["sample"] = cells.obs["run"]
    with pytest.warns(UserWarning, match="differences between the levels of"):
        assert "sample" in said(cells, "batches")[0][1]


def test_batches_without_control_are_said(cells):
    run = cells.obs["run"].to_numpy(object)
    run[np.flatnonzero((cells.obs["perturbation"] == "STAT1") & (run == "a"))[:5]] = "c"
    cells.obs["run"] = run
    with pytest.warns(UserWarning, match="5 cells are left out"):
        found = said(cells, "labels", batch_key="run")
    assert ("warning", "5 cells left out: batch 'c' with 0 control cells") in found


def test_scale(make_cells):
    cells = make_cells(kind="dense")
    ((status, _),) = said(cells, "scale")
    assert status == "ok"
    spb.pp.standardize(cells)
    ((status, detail),) = said(cells, "scale", layer="standardized")
    assert status == "note"
    assert "not comparable" in detail
    profiles = spb.pp.profiles(cells, layer="counts", normalize=True)
    assert said(profiles, "scale") == [("ok", "raw counts, normalized automatically to log1p(10000 × count / size)")]
    cells.X = np.expm1(cells.X) * 50.0
    with pytest.raises(ValueError, match="normalized counts without a logarithm"):
        spb.pp.check(cells)


def test_raw_counts_are_refused(cells):
    with pytest.raises(ValueError, match="raw counts"):
        spb.pp.check(cells, layer="counts")
    assert "scpertbias" not in cells.uns


def test_leakage(cells):
    spb.pp.split(cells, fractions=(0.5, 0.2, 0.3), rng=1)
    assert said(cells, "split") == [("ok", "3 train, 1 val, 2 test perturbations")]
    spb.pp.split(cells, unit="cell", fractions=(0.5, 0.0, 0.5), key_added="cellwise")
    (finding,) = said(cells, "split", split_key="cellwise")
    assert finding[0] == "warning"
    assert finding[1].startswith(
        "6 of 6 held-out perturbations also have training cells, so models have seen them (JAK2, MYC"
    )
    half = np.arange(cells.n_obs) % 2 == 0
    cells.obs["both"] = np.where(cells.obs["perturbation"] == "MYC", np.where(half, "val", "test"), "train")
    assert said(cells, "split", split_key="both") == [("warning", "1 perturbations are in both val and test (MYC)")]


def test_genes(make_cells):
    cells = make_cells(genes=["mt-Co1", "Rps6", "Rpl3", *(f"Gene{i}" for i in range(9))])
    assert said(cells, "genes") == [
        ("ok", "1 mitochondrial (MT-) genes are measured"),
        ("ok", "2 ribosomal genes are measured"),
        ("note", "0 of 6 perturbed genes are measured"),
    ]


def test_genes_by_symbol(cells):
    cells.var["feature_name"] = list(cells.var_names)
    cells.var_names = [f"ENSG{i:011d}" for i in range(cells.n_vars)]
    found = said(cells, "genes")
    assert ("ok", "2 ribosomal genes are measured") in found
    assert ("ok", "3 of 6 perturbed genes are measured") in found
    assert not per(cells)["top_genes"].str.contains("ENSG").any()


def test_a_screen_without_any_effect(make_cells):
    cells = make_cells(n_cells=100, n_control=400, genes=[f"G{i}" for i in range(200)])
    rng = np.random.default_rng(1)
    cells.obs["perturbation"] = rng.permutation(cells.obs["perturbation"].to_numpy(str))
    for sd in ("stress", "depth", "run"):
        del cells.obs[sd]
    cells.X = np.abs(rng.normal(1, 0.3, size=cells.shape))
    first, second = said(cells, "response")
    assert first == (
        "warning",
        "0 of 6 perturbations have a detected effect (q at most 0.05)",
    )
    assert second == ("warning", "the screen has no reproducible response, so models cannot be evaluated on it")


def test_a_perturbation_without_a_cell_that_counts(cells):
    """All its cells are in a batch without control: it is listed, with the reason."""
    run = cells.obs["run"].to_numpy(object)
    run[(cells.obs["perturbation"] == "STAT1").to_numpy()] = "c"
    cells.obs["run"] = run
    with pytest.warns(UserWarning, match="40 cells are left out"):
        whole = table(cells, batch_key="run")
    with pytest.warns(UserWarning, match="40 cells are left out"):
        profiles = spb.pp.profiles(cells, batch_key="run")
    pd.testing.assert_frame_equal(table(profiles), whole)
    found = whole[whole["check"] == "perturbation"].set_index("perturbation")
    assert found.loc["STAT1", ["status", "n_cells", "top_genes"]].tolist() == ["warning", 0, ""]
    assert found.loc["STAT1", "detail"] == "left out: none of its cells can be used"
    assert found.index.tolist() == ["JAK2", "MYC", "SPI1", "STAT1", "STAT2", "STAT3"]
    assert found["response_share"].sum() == pytest.approx(1)
    assert "1 of 6 perturbations have no usable cells: STAT1" in whole["detail"].tolist()
    (response, *_) = whole.loc[whole["check"] == "response", "detail"]
    assert " of 5 perturbations have a detected effect" in response


def test_the_fewest_perturbations_that_carry_most():
    shares = pd.Series([0.1, np.nan, 0.6, 0.3], index=[4, 5, 6, 7])
    assert strongest(shares).tolist() == [6, 7]
    assert strongest(shares * np.nan).empty


def test_guides_are_compared_besides(cells):
    cells.obs["guide"] = cells.obs["perturbation"].astype(str) + np.where(np.arange(cells.n_obs) % 2, "_1", "_2")
    table = per(spb.pp.profiles(cells, guide_key="guide"))
    assert table["reproducibility_guides"].notna().all()
    np.testing.assert_allclose(table["reproducibility"], per(cells)["reproducibility"], atol=1e-9)
    assert per(cells)["reproducibility_guides"].isna().all()
