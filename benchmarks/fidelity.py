"""Our numbers beside those of other people's code, on identical matrices: ``python -m benchmarks.fidelity``.

``--write`` puts the table where the documentation shows it (``docs/fidelity.csv``).
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import scanpy as sc
from scipy import linalg, sparse, stats
from scipy.sparse.csgraph import laplacian as csgraph_laplacian

import scpertbias as spb
from scpertbias._core import graph, recurrence, resampling, solvers

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "fidelity.csv"
GOLD = ROOT / "tests" / "data" / "gold"
TEST = ["ATF2", "STAT1", "STAT2", "IRF1", "JAK2"]


@dataclass(frozen=True)
class Comparison:
    """``measure`` gives the largest difference, divided by the largest value of the reference; ``bound`` is what is held."""

    function: str
    reference: str
    quantity: str
    bound: float
    measure: Callable[[], float]


ALL: list[Comparison] = []


def compares(function: str, reference: str, quantity: str, bound: float) -> Callable[[Callable[[], Any]], Any]:
    """Register a comparison; the function returns pairs of ours and theirs."""

    def register(pairs: Callable[[], Any]) -> Any:
        def measure() -> float:
            return max(_difference(ours, theirs) for ours, theirs in pairs())

        ALL.append(Comparison(function, reference, quantity, bound, measure))
        return pairs

    return register


def _difference(ours: Any, theirs: Any) -> float:
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if ours.shape != theirs.shape or (np.isnan(ours) != np.isnan(theirs)).any() or not ours.size:
        return float("inf")
    return float(np.nanmax(np.abs(ours - theirs)) / max(1.0, np.nanmax(np.abs(theirs))))


# --- the screen ---


@cache
def cells() -> ad.AnnData:
    """Real cells, log-normalized, with a split and no batches."""
    adata = spb.ds.papalexi_2021()[::3].copy()
    adata.obs = adata.obs.drop(columns="bio_rep")
    size = adata.obs["perturbation"].map(adata.obs["perturbation"].value_counts()).astype(int)
    adata = adata[size >= 20].copy()  # what has fewer cells enters no fit of ours
    spb.pp.split(adata, test=TEST)
    return adata


@cache
def dense() -> np.ndarray:
    """The same values as float64."""
    x = cells().X
    return np.asarray(x.toarray() if sparse.issparse(x) else x, dtype=np.float64)


@cache
def profiles() -> ad.AnnData:
    """Profiles with two models, one of which predicts every perturbation differently."""
    screen = spb.pp.profiles(cells())
    spb.tl.fit_ridge(screen)
    noise = np.random.default_rng(0).normal(0, 0.05, screen.shape)
    noisy = pd.DataFrame(np.maximum(screen.to_df() + noise, 0.0), index=screen.obs_names, columns=screen.var_names)
    noisy.index = screen.obs["perturbation"].astype(str)
    spb.tl.add_predictions(screen, noisy[~screen.obs["is_reference"].to_numpy(bool)], key_added="noisy")
    spb.tl.score(screen, n_top_genes=screen.n_vars)
    return screen


def _labels() -> np.ndarray:
    return cells().obs["perturbation"].to_numpy(str)


def _train() -> np.ndarray:
    return (cells().obs["split"] == "train").to_numpy()


# --- preparation ---


@compares("pp.profiles", "scanpy.get.aggregate", "mean and variance of every perturbation", 1e-6)
def _aggregate():
    theirs = sc.get.aggregate(cells(), by="perturbation", func=["mean", "var"])
    ours = profiles()[theirs.obs_names]
    return [(ours.X, theirs.layers["mean"]), (ours.layers["var"], theirs.layers["var"])]


@compares("pp.profiles(normalize=True)", "scanpy.pp.normalize_total, log1p", "mean of every perturbation", 1e-5)
def _normalize():
    counts = spb.ds.simulate(1500, 100, 8, rng=3)
    counts.X = counts.layers["counts"].astype(np.float32)
    ours = spb.pp.profiles(counts, normalize=True)
    sc.pp.normalize_total(counts, target_sum=1e4)
    sc.pp.log1p(counts)
    theirs = sc.get.aggregate(counts, by="perturbation", func="mean")
    return [(ours[theirs.obs_names].X, theirs.layers["mean"])]


@compares("pp.regress_mt_ribo", "scanpy.pp.regress_out", "residuals of every cell, without the intercept", 1e-5)
def _regress():
    ours = spb.pp.regress_mt_ribo(cells(), covariates=["p_mito"], fit_on="all", add_intercept=False, copy=True)
    theirs = ad.AnnData(dense().copy(), obs=cells().obs, var=cells().var)
    sc.pp.regress_out(theirs, ["p_mito"])
    return [(ours.layers["regressed"], theirs.X)]


@compares("pp.standardize", "scikit-learn StandardScaler, scanpy.pp.scale", "z-scores of every cell", 1e-5)
def _standardize():
    from sklearn.preprocessing import StandardScaler

    ours = spb.pp.standardize(cells(), copy=True).layers["standardized"]
    n = int(_train().sum())
    scaler = StandardScaler().fit(dense()[_train()])  # divides by n, scanpy by n - 1
    theirs = scaler.transform(dense()) * np.sqrt((n - 1) / n)
    everything = cells().copy()
    everything.obs["split"] = "train"
    scaled = sc.pp.scale(ad.AnnData(dense().copy()), copy=True)
    return [(ours, theirs), (spb.pp.standardize(everything, copy=True).layers["standardized"], scaled.X)]


@compares("pp.coexpression_net", "pandas DataFrame.corr", "weight of every edge", 1e-10)
def _coexpression():
    net = spb.pp.coexpression_net(cells(), threshold=0.1)
    control = cells().to_df()[_labels() == "non-targeting"].astype(np.float64)
    r = control.corr().abs()
    return [(net["weight"], [r.loc[a, b] for a, b in zip(net["source"], net["target"], strict=True)])]


@compares("pp.jaccard_net", "scikit-learn pairwise_distances(metric='jaccard')", "weight of every edge", 1e-12)
def _jaccard():
    from sklearn.metrics import pairwise_distances

    sets = spb.ds.hallmark().query("source < 'HALLMARK_C'")
    net = spb.pp.jaccard_net(sets)
    member = pd.crosstab(sets["target"], sets["source"]).astype(bool)
    member = member.loc[sorted(set(net["source"]) | set(net["target"]))]
    similar = pd.DataFrame(
        1 - pairwise_distances(member.to_numpy(), metric="jaccard"), index=member.index, columns=member.index
    )
    place = (similar.index.get_indexer(net["source"]), similar.index.get_indexer(net["target"]))
    return [(net["weight"], similar.to_numpy()[place])]


# --- models ---


def _sklearn_ridge(one_hot: pd.DataFrame) -> np.ndarray:
    from sklearn.linear_model import Ridge

    fitted = Ridge(alpha=0.1, solver="cholesky").fit(one_hot.to_numpy(np.float64)[_train()], dense()[_train()])
    return fitted.predict(np.eye(one_hot.shape[1])), fitted.intercept_


@compares(
    "tl.fit_ridge", "scikit-learn Ridge(solver='cholesky')", "prediction of every perturbation, with both codings", 1e-5
)
def _ridge():
    one_hot = pd.get_dummies(pd.Series(_labels()))
    trained = [name for name in one_hot.columns if name not in TEST]
    one_hot = one_hot[trained]
    pairs = []
    for coding, columns in (("one_hot", trained), ("reference", [n for n in trained if n != "non-targeting"])):
        adata = spb.tl.fit_ridge(cells(), coding=coding, copy=True)
        ours = spb.get.predictions(adata, "ridge")
        theirs, intercept = _sklearn_ridge(one_hot[columns])
        pairs += [(ours.loc[columns], theirs), (ours.loc["STAT1"], intercept)]
    return pairs


@compares("tl.fit_grn_linear(axis='both')", "scipy.linalg.solve_sylvester", "coefficients of every gene", 1e-8)
def _sylvester():
    rng = np.random.default_rng(5)
    n, x = rng.integers(20, 400, 9), rng.normal(size=(9, 14))
    ring = [
        graph.laplacian(graph.adjacency(np.arange(m), (np.arange(m) + 1) % m, rng.random(m), m), normalized=True)
        for m in (14, 9)
    ]
    ours = solvers.grn(x, n, alpha=0.1, gamma=2.0, genes=graph.spectrum(ring[0]), perturbations=ring[1])
    left = np.diag(n + 0.1) + 2.0 * ring[1].toarray()
    theirs = linalg.solve_sylvester(left, 2.0 * ring[0].toarray(), n[:, None] * (x - ours.intercept))
    best = (n @ (x - theirs)) / n.sum()  # the intercept that goes with these coefficients
    return [(ours.coef, theirs), (ours.intercept, best)]


@compares("tl.fit_two_stage", "scikit-learn PCA", "low-rank part of the centered means", 1e-10)
def _low_rank():
    from sklearn.decomposition import PCA

    means = profiles().X - profiles().X.mean(axis=0)
    scores, loadings = solvers.low_rank(means, 5)
    pca = PCA(5, svd_solver="full").fit(means)
    return [(scores @ loadings.T, pca.inverse_transform(pca.transform(means)))]


@compares(
    "tl.fit_bilinear",
    "Ahlmann-Eltze et al. in R (stored results)",
    "prediction of every perturbation, with K = 4 and K = 10",
    1e-5,
)
def _bilinear():
    adata = spb.ds.papalexi_2021()
    spb.pp.split(adata, test=["NFKBIA", "STAT1"])
    adata.obs = adata.obs.drop(columns="bio_rep")
    screen = spb.pp.profiles(adata)
    pairs = []
    for k in (4, 10):
        spb.tl.fit_bilinear(screen, n_components=k)
        gold = pd.read_csv(GOLD / f"papalexi_ae_K{k}.csv", index_col=0).drop("ctrl")
        pairs.append((spb.get.predictions(screen, "bilinear").loc[gold.index, gold.columns], gold))
    return pairs


@compares("graph Laplacians", "scipy.sparse.csgraph.laplacian", "every entry of both forms", 1e-12)
def _laplacian():
    rng = np.random.default_rng(1)
    a = graph.adjacency(rng.integers(0, 30, 60), rng.integers(0, 30, 60), rng.random(60), 30)
    isolated = np.asarray(a.sum(axis=1)).ravel() == 0
    pairs = []
    for normalized in (False, True):
        theirs = csgraph_laplacian(a, normed=normalized).toarray()
        theirs[isolated] = 0.0  # scipy leaves 1 there
        pairs.append((graph.laplacian(a, normalized=normalized).toarray(), theirs))
    return pairs


# --- scores ---


@compares(
    "tl.score: l2, rmse, mae, pearson_delta",
    "scikit-learn metrics, scipy.stats.pearsonr",
    "score of every perturbation",
    1e-10,
)
def _scores():
    from sklearn import metrics

    scores = spb.get.scores(profiles())
    pairs = []
    for key, table in scores[scores["split"] == "test"].groupby("model"):
        real, predicted = spb.get.cell_eval(profiles(), key)
        y, x, c = real[table["perturbation"]].X, predicted[table["perturbation"]].X, real.X[0]
        rows = list(zip(y, x, strict=True))
        pairs += [
            (table["rmse"], [metrics.root_mean_squared_error(a, b) for a, b in rows]),
            (table["mae"], [metrics.mean_absolute_error(a, b) for a, b in rows]),
            (table["l2"], [linalg.norm(a - b) for a, b in rows]),
            (table["pearson_delta"], [stats.pearsonr(a - c, b - c).statistic for a, b in rows]),
        ]
    return pairs


@cache
def _cell_eval() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score the noisy model by both, on genes that no perturbation targets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other packages
        from cell_eval import MetricsEvaluator

    adata = cells()[:, ~cells().var_names.isin(_labels())].copy()
    screen = spb.pp.profiles(adata)
    rng = np.random.default_rng(0)
    noisy = pd.DataFrame(
        np.maximum(screen.X + rng.normal(0, 0.1, screen.shape), 0.0),
        index=screen.obs["perturbation"].astype(str),
        columns=screen.var_names,
    )
    spb.tl.add_predictions(screen, noisy[~screen.obs["is_reference"].to_numpy(bool)], key_added="noisy")
    spb.tl.score(screen, "noisy", n_top_genes=screen.n_vars)
    ours = spb.get.scores(screen, split="test").set_index("perturbation")
    real, predicted = spb.get.cell_eval(screen, "noisy")
    quiet = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), contextlib.redirect_stderr(quiet):
        warnings.simplefilter("ignore")
        evaluator = MetricsEvaluator(
            predicted, real, pert_col="perturbation", control_pert="non-targeting", skip_de=True, outdir=folder
        )
        scored, _ = evaluator.compute(profile="anndata", write_csv=False, skip_metrics=SKIPPED)
    theirs = pd.DataFrame(scored.to_dicts()).set_index("perturbation").loc[ours.index]
    return ours, theirs


SKIPPED = ["clustering_agreement", "pearson_edistance"]
"""Metrics of cell-eval that need cells, or have no counterpart."""


@compares(
    "tl.score: mae, rmse, pearson_delta", "cell-eval mae, mse, pearson_delta", "score of every perturbation", 1e-10
)
def _cell_eval_errors():
    ours, theirs = _cell_eval()
    return [
        (ours["mae"], theirs["mae"]),
        (ours["rmse"] ** 2, theirs["mse"]),
        (ours["pearson_delta"], theirs["pearson_delta"]),
    ]


@compares("tl.score: discrimination", "cell-eval discrimination_score_l1", "rank of every perturbation", 1e-10)
def _cell_eval_discrimination():
    ours, theirs = _cell_eval()
    n = len(ours)
    rank = (1 - theirs["discrimination_score_l1"]) * n  # cell-eval divides the rank by n, METRICS by n - 1
    return [(ours["discrimination"], 1 - rank / (n - 1))]


@compares("tl.attribution_agreement", "scipy.stats.spearmanr", "correlation of every perturbation", 1e-6)
def _spearman():
    screen = profiles().copy()
    spb.tl.fit_bilinear(screen, n_components=3)
    spb.tl.attribution_agreement(screen, ["ridge", "bilinear"], n_perm=10)
    table = spb.get.attribution_agreement(screen).dropna(subset="spearman").query("perturbation != ''")
    a, b = (spb.get.attributions(screen, key) for key in ("ridge", "bilinear"))
    return [(table["spearman"], [stats.spearmanr(a[p], b[p]).statistic for p in table["perturbation"]])]


@compares("tl.enrich (decoupler)", "scipy.stats.hypergeom", "p-value of every pair of gene list and gene set", 1e-10)
def _fisher():
    screen = profiles().copy()
    spb.tl.enrich(screen, spb.ds.hallmark(), models="ridge", k=20)
    table = spb.get.enrich(screen).dropna(subset="p")
    theirs = stats.hypergeom.sf(table["overlap"] - 1, table["background"], table["set_size"], table["k"])
    return [(table["p"], theirs)]


@compares("tl.recurrence: tail of the counts", "scipy.stats.poisson_binom", "probability of every count", 1e-10)
def _poisson_binomial():
    chances = np.random.default_rng(2).random((3, 40)) ** 3
    ours = recurrence.poisson_binomial_tail(chances, 20)
    return [(ours, np.array([stats.poisson_binom.sf(np.arange(-1, 20), p) for p in chances]))]


@compares("q in every table", "scipy.stats.false_discovery_control", "adjusted p-values", 1e-12)
def _adjusted():
    p = np.random.default_rng(3).random(200) ** 2
    return [(resampling.benjamini_hochberg(p), stats.false_discovery_control(p))]


def rows() -> list[dict[str, str]]:
    """Measure everything."""
    return [
        {
            "function": c.function,
            "other code": c.reference,
            "compared values": c.quantity,
            "largest difference": f"{c.measure():.0e}",
            "tested bound": f"{c.bound:.0e}",
        }
        for c in ALL
    ]


def main() -> None:
    """Print the table, and write it where the documentation reads it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fidelity", description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace docs/fidelity.csv")
    write = parser.parse_args().write
    table = rows()
    print(pd.DataFrame(table).to_string(index=False))
    if write:
        with TABLE.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=table[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)


if __name__ == "__main__":
    main()
