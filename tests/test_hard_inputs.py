"""Hard input gives the right answer or one error that says what to do, and is left exactly as it was.

The cases and their outcomes are the rows of ``docs/hard_inputs.csv``, which the documentation shows.
"""

import csv
import functools
import inspect
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import scpertbias as spb
from scpertbias import _compat

TABLE = Path(__file__).resolve().parents[1] / "docs" / "hard_inputs.csv"
SAME, ANSWER = "the same result", "a result"
ERRORS = {"ValueError": ValueError, "KeyError": KeyError, "TypeError": TypeError}

TARGETS = ("JAK2", "MYC", "SPI1", "STAT1", "STAT2", "STAT3")
GENES = ("MT-CO1", "MT-ND1", "RPL3", "RPS6", "JAK2", "MYC", "STAT1", *(f"GENE{i}" for i in range(9)))
NET = pd.DataFrame({"source": ["JAK2", "MYC", "STAT1"], "target": ["STAT1", "JAK2", "GENE1"]})


def plain(targets=TARGETS, n_control=90, n_cells=40) -> ad.AnnData:
    """Log-normalized cells with an effect, a covariate and nothing unusual; the counts they are made of in a layer."""
    rng = np.random.default_rng(0)
    labels = np.repeat(["control", *targets], [n_control, *[n_cells] * len(targets)])
    rate = np.exp(rng.normal(1, 0.7, len(GENES)) + 0.4 * rng.normal(size=(len(targets) + 1, len(GENES))))
    code = np.repeat(np.arange(len(targets) + 1), [n_control, *[n_cells] * len(targets)])
    counts = rng.poisson(rate[code]).astype(np.float32)
    values = np.log1p(counts * (1e4 / counts.sum(axis=1, keepdims=True))).astype(np.float32)
    obs = pd.DataFrame(
        {"perturbation": labels, "stress": rng.normal(size=len(labels))}, index=[f"cell{i}" for i in range(len(labels))]
    )
    return ad.AnnData(values, obs=obs, var=pd.DataFrame(index=list(GENES)), layers={"counts": counts})


# --- what is called, and what of the result is compared ---


def _layer(adata, key):
    return pd.DataFrame(np.asarray(adata.layers[key]), index=adata.obs_names, columns=adata.var_names)


def _moments(profiles):
    parts = [profiles.to_df(), *(profiles.to_df(layer) for layer in ("half_1", "half_2", "var"))]
    return pd.concat(parts, keys=["mean", "half_1", "half_2", "var"])


def _scored(adata, **data):
    adata = spb.tl.fit_mean(adata, copy=True, **data)
    spb.tl.score(adata)
    return spb.get.scores(adata)


CALLS: dict[str, tuple[Callable, Callable[[Any], pd.DataFrame], dict[str, Any]]] = {
    "pp.annotate_confounders": (spb.pp.annotate_confounders, lambda a: a.var[["mt", "ribo"]], {}),
    "pp.exclude_confounders": (spb.pp.exclude_confounders, lambda a: a.var_names.to_frame(index=False), {}),
    "pp.select_genes": (spb.pp.select_genes, lambda a: a.var_names.to_frame(index=False), {"n_top_genes": 5}),
    "pp.regress_mt_ribo": (
        spb.pp.regress_mt_ribo,
        lambda a: _layer(a, "regressed"),
        {"covariates": ["stress"]},
    ),
    "pp.standardize": (spb.pp.standardize, lambda a: _layer(a, "standardized"), {}),
    "pp.split": (spb.pp.split, lambda a: a.obs[["split"]].astype(object), {}),
    "pp.check": (spb.pp.check, spb.get.check, {}),
    "pp.profiles": (spb.pp.profiles, _moments, {}),
    "pp.coexpression_net": (spb.pp.coexpression_net, lambda net: net, {"threshold": 0.05}),
    "tl.fit_mean": (spb.tl.fit_mean, lambda a: spb.get.predictions(a, "mean"), {}),
    "tl.fit_ridge": (spb.tl.fit_ridge, lambda a: spb.get.predictions(a, "ridge"), {}),
    "tl.fit_two_stage": (spb.tl.fit_two_stage, lambda a: spb.get.predictions(a, "two_stage"), {"net": NET}),
    "tl.fit_bilinear": (spb.tl.fit_bilinear, lambda a: spb.get.predictions(a, "bilinear"), {"n_components": 3}),
    "tl.score": (_scored, lambda table: table, {}),
    "tl.recurrence": (spb.tl.recurrence, spb.get.recurrence, {}),
    "tl.confounding": (spb.tl.confounding, spb.get.confounding, {"n_random": 50}),
    "tl.balance": (spb.tl.balance, spb.get.balance, {"n_random": 50}),
    "tl.target_response": (spb.tl.target_response, spb.get.target_response, {}),
    "tl.audit": (
        spb.tl.audit,
        spb.get.summary,
        {"models": ("mean", "ridge"), "regimes": ("full",), "covariates": ["stress"], "n_random": 0},
    ),
}
READ_LABELS = [name for name in CALLS if name not in {"pp.annotate_confounders", "pp.exclude_confounders"}]
READ_VALUES = [name for name in READ_LABELS if name not in {"pp.split", "pp.select_genes"}]
GROUPS = {
    "all": list(CALLS),
    "all that read labels": READ_LABELS,
    "all that read values": READ_VALUES,
    "all that read or rank values": [*READ_VALUES, "pp.select_genes"],
}


def run(call: str, data: Any, given: dict[str, Any], *, copy: bool) -> pd.DataFrame:
    function, answer, arguments = CALLS[call]
    known = inspect.signature(spb.tl.fit_mean if function is _scored else function).parameters
    arguments = {**arguments, **{k: v for k, v in given.items() if k in known}}
    if copy and "copy" in inspect.signature(function).parameters:
        return answer(function(data, copy=True, **arguments))
    made = function(data, **arguments)
    return answer(data if made is None else made)


# --- the input, before and after ---


def snapshot(thing: Any) -> Any:
    """Everything that an object holds, in a form that compares."""
    if isinstance(thing, ad.AnnData):
        slots = {name: {k: snapshot(v) for k, v in getattr(thing, name).items()} for name in ("layers", "obsm", "varm")}
        return {
            "X": snapshot(thing.X),
            "obs": snapshot(thing.obs),
            "var": snapshot(thing.var),
            "uns": snapshot(dict(thing.uns)),
            **slots,
        }
    if isinstance(thing, dict):
        return {key: snapshot(value) for key, value in thing.items()}
    if isinstance(thing, pd.DataFrame):
        columns = [(str(c), str(t), repr(thing.iloc[:, i].tolist())) for i, (c, t) in enumerate(thing.dtypes.items())]
        return (repr(thing.index.tolist()), columns)
    if sparse.issparse(thing):
        return (type(thing), *(snapshot(part) for part in (thing.data, thing.indices, thing.indptr)))
    if isinstance(thing, ad.abc.CSRDataset):
        return snapshot(thing[:])
    if isinstance(thing, np.ndarray):
        layout = (thing.flags["C_CONTIGUOUS"], thing.flags["F_CONTIGUOUS"], thing.flags["WRITEABLE"])
        held = repr(thing.tolist()) if thing.dtype == object else np.asarray(thing).tobytes()
        return (type(thing), str(thing.dtype), thing.shape, layout, held)
    if hasattr(thing, "mod"):
        return {name: snapshot(modality) for name, modality in thing.mod.items()}
    return repr(thing)


# --- the cases ---


@dataclass(frozen=True)
class Case:
    """``like`` makes what it must be answered like, ``renamed`` says what is called otherwise there, ``given`` is passed."""

    make: Callable[[], Any]
    like: Callable[[], ad.AnnData] = plain
    renamed: dict[str, str] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)


def changed(change: Callable[[ad.AnnData], Any], made: Callable[[], ad.AnnData] = plain) -> Callable[[], ad.AnnData]:
    def make():
        adata = made()
        result = change(adata)
        return adata if result is None else result

    return make


def relabeled(names: dict[Any, Any]) -> Callable[[], ad.AnnData]:
    def change(adata):
        adata.obs["perturbation"] = adata.obs["perturbation"].map(lambda v: names.get(v, v))

    return changed(change)


def column(make: Callable[[pd.Series], Any], name: str = "perturbation") -> Callable[[], ad.AnnData]:
    def change(adata):
        adata.obs[name] = make(adata.obs["perturbation"])

    return changed(change)


def values(make: Callable[[np.ndarray], Any]) -> Callable[[], ad.AnnData]:
    def change(adata):
        return ad.AnnData(
            make(adata.X), obs=adata.obs, var=adata.var, layers={k: v for k, v in adata.layers.items() if k}
        )

    return changed(change)


def genes(names: dict[str, str]) -> Callable[[], ad.AnnData]:
    def change(adata):
        adata.var_names = [names.get(name, name) for name in adata.var_names]

    return changed(change)


def ensembl(adata: ad.AnnData) -> None:
    adata.var["gene_name"] = adata.var_names.to_numpy()
    adata.var_names = [f"ENSG{i:011d}" for i in range(adata.n_vars)]


ENSEMBL = {f"ENSG{i:011d}": name for i, name in enumerate(GENES)}
MOUSE = {g: g.replace("MT-", "mt-") if g.startswith("MT-") else g.capitalize() for g in GENES}


SPELLED = {g: f"GRCh38_{g}".replace("MT-", "MT.") for g in GENES}


def joined(x):
    """Every second cell as the counts that it was made of, but for a factor."""
    return np.where(np.arange(len(x))[:, None] % 2, x, np.round(np.expm1(x) / 50))


def ambient(x):
    """Counts of which the mean of the ambient RNA was taken off."""
    k = np.expm1(x) / 20
    return np.where(k > 0, np.maximum(k - 0.07 * k.mean(axis=0), 0.03), 0)


def guide_captures():
    adata = plain()
    var = pd.DataFrame({"feature_types": ["Gene Expression"] * len(GENES) + ["CRISPR Guide Capture"] * 2})
    var.index = [*GENES, "JAK2_sg1", "MYC_sg1"]
    return ad.AnnData(np.hstack([adata.X, np.full((adata.n_obs, 2), 40)]), obs=adata.obs, var=var)


def second_column(adata):
    """A silent column with the symbol of another one."""
    ensembl(adata)
    var = pd.DataFrame({"gene_name": ["JAK2"]}, index=["ENSG99999999999"])
    silent = ad.AnnData(np.zeros((adata.n_obs, 1), dtype=np.float32), obs=adata.obs, var=var)
    return ad.concat([silent, adata], axis=1, merge="first")


def with_parts(x):
    """CSR in which every value is stored as two halves."""
    rows = sparse.csr_matrix(x)
    return sparse.csr_matrix((np.repeat(rows.data / 2, 2), np.repeat(rows.indices, 2), rows.indptr * 2), shape=x.shape)


def backwards(x):
    """CSR whose columns are stored from last to first."""
    rows = sparse.csr_matrix(x)
    order = np.concatenate(
        [np.arange(b - 1, a - 1, -1) for a, b in zip(rows.indptr[:-1], rows.indptr[1:], strict=True)]
    )
    return sparse.csr_matrix((rows.data[order], rows.indices[order], rows.indptr), shape=x.shape)


def stored_zeros(x):
    """CSR that stores its zeros, with 64-bit indices."""
    full = sparse.csr_matrix(np.ones_like(x))
    full.data = x.ravel().copy()
    return sparse.csr_matrix((full.data, full.indices.astype(np.int64), full.indptr.astype(np.int64)), shape=x.shape)


def read_only(x):
    x.setflags(write=False)
    return x


def as_dask(x):
    import dask.array

    return dask.array.from_array(x, chunks=(50, x.shape[1]))


def backed():
    path = FOLDER[-1] / "cells.h5ad"
    if not path.exists():
        values(sparse.csr_matrix)().write_h5ad(path)
    return ad.read_h5ad(path, backed="r")


FOLDER: list[Path] = []
"""Where files go, while a test runs."""


@pytest.fixture(autouse=True)
def _folder(tmp_path):
    FOLDER.append(tmp_path)
    yield
    FOLDER.pop()


def at(position: int, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def put(x):
        x.ravel()[position] = value
        return x

    return put


def profiles(seed_shift: int = 0) -> ad.AnnData:
    adata = plain()
    adata.obs_names = [f"{name}_{seed_shift}" for name in adata.obs_names]
    return spb.pp.profiles(adata)


def unlabeled(words: tuple[Any, ...]) -> Callable[[], ad.AnnData]:
    return column(lambda v: [words[i % len(words)] if i % 7 == 0 else label for i, label in enumerate(v)])


def without_every_seventh() -> ad.AnnData:
    adata = plain()
    return adata[np.arange(adata.n_obs) % 7 > 0].copy()


def repeated(adata: ad.AnnData) -> None:
    adata.obs = pd.concat([adata.obs, adata.obs[["perturbation"]]], axis=1)


def many() -> ad.AnnData:
    rng = np.random.default_rng(0)
    labels = np.repeat([f"T{i:05d}" for i in range(20_000)], 2)
    labels = np.concatenate([np.repeat("control", 40), labels])
    obs = pd.DataFrame({"perturbation": labels}, index=[f"cell{i}" for i in range(len(labels))])
    return ad.AnnData(rng.gamma(2.0, 0.4, size=(len(labels), 6)), obs=obs)


NO_WORD = ("", "nan", "NaN", None, np.nan, "unassigned", " Multiplet ", "none", "ambiguous")
NUMBER = {"control": 0} | {name: i + 1 for i, name in enumerate(TARGETS)}
COMBINED = {"SPI1": "JAK2+MYC", "STAT2": "MYC+STAT1"}
COUNTS = {"normalize": True, "layer": "counts"}

CASES: dict[str, Case] = {
    # labels
    "labels with spaces around them": Case(relabeled({"JAK2": " JAK2 ", "control": "control "})),
    "labels with spaces, non-ASCII characters or '/' inside": Case(
        relabeled({"SPI1": "SPI1/PU.1 β", "STAT3": "STAT3 ∆ %s"}),
        renamed={"SPI1/PU.1 β": "SPI1", "STAT3 ∆ %s": "STAT3"},
    ),
    "labels with HTML markup": Case(
        relabeled({"STAT3": "STAT3<script>alert(1)</script>"}), renamed={"STAT3<script>alert(1)</script>": "STAT3"}
    ),
    "labels that are numbers": Case(relabeled(NUMBER)),
    "labels that are numbers, with reference=0": Case(
        relabeled(NUMBER), renamed={str(v): k for k, v in NUMBER.items()}, given={"reference": 0}
    ),
    "labels that are lists": Case(column(lambda v: [[label] for label in v])),
    "cells without a label (NaN, '', unassigned, …)": Case(unlabeled(NO_WORD), like=without_every_seventh),
    "categories without cells, in any order": Case(
        column(lambda v: pd.Categorical(v, categories=["ZZ", *sorted(set(v), reverse=True), "AA"], ordered=True))
    ),
    "labels of the pandas string type": Case(column(lambda v: v.astype("string"))),
    "combinations in any order, with the control as one part, or of a gene with itself": Case(
        relabeled({"SPI1": "MYC+JAK2", "STAT2": "MYC+ctrl+STAT1", "STAT3": "STAT3+STAT3"}), like=relabeled(COMBINED)
    ),
    "combinations joined by '_', ';', ',' or '|'": Case(
        relabeled({"SPI1": "JAK2_MYC", "STAT2": "MYC;STAT1"}), like=relabeled(COMBINED)
    ),
    "labels that look like guides": Case(
        relabeled({"SPI1": "JAK2_g1", "STAT2": "JAK2_g2", "STAT3": "MYC_g1", "MYC": "MYC_g2"})
    ),
    "combinations joined by ' || ' or '/'": Case(
        relabeled({"SPI1": "JAK2 || MYC", "STAT2": "MYC/STAT1"}), like=relabeled(COMBINED)
    ),
    "combinations joined by '~', with combination_sep='~'": Case(
        relabeled({"SPI1": "JAK2~MYC", "STAT2": "MYC~STAT1"}),
        like=relabeled(COMBINED),
        given={"combination_sep": "~"},
    ),
    "labels that are not targets, with label_map=": Case(
        relabeled({"JAK2": "g1", "MYC": "g2", "control": "none of them"}),
        given={"label_map": {"g1": "JAK2", "g2": "MYC", "none of them": "control"}},
    ),
    "guides, with label_map='targets'": Case(
        column(lambda v: [x if x == "control" else f"{x}_sg{i % 2 + 1}" for i, x in enumerate(v)]),
        given={"label_map": "targets"},
    ),
    "words of guide callers (negative, multiple, …)": Case(
        unlabeled(("negative", "multiple", "doublet", "no_guide")), like=without_every_seventh
    ),
    "labels that list many guides": Case(
        column(
            lambda v: [
                label
                if label == "control"
                else ";".join(f"{t}_g{(i * k) % 97}" for k, t in enumerate(TARGETS[i % 3 :], 1))
                for i, label in enumerate(v)
            ]
        )
    ),
    "reference= with a pattern that also matches a measured gene": Case(
        relabeled({"control": "JAK_1"}), given={"reference": "JAK*"}
    ),
    "no control": Case(relabeled({"control": "GENE1"})),
    "a control with an unusual name, with reference=": Case(
        relabeled({"control": "wild type"}), renamed={"wild type": "control"}, given={"reference": "wild type"}
    ),
    "two labels that could be the control": Case(column(lambda v: np.where(np.arange(len(v)) < 45, "NTC", v))),
    "two control labels, with a list as reference=": Case(
        column(lambda v: np.where(np.arange(len(v)) < 45, "NTC", v)), given={"reference": ["NTC", "control"]}
    ),
    "several control labels, with a pattern as reference=": Case(
        column(lambda v: np.where(v == "control", [f"safe-{i % 3}" for i in range(len(v))], v)),
        renamed={"safe": "control"},
        given={"reference": "safe-*"},
    ),
    "reference= with a name that matches no label": Case(plain, given={"reference": "NTC"}),
    "a measured gene with the same name as the control": Case(
        genes({"GENE8": "control"}), renamed={"control": "GENE8"}
    ),
    "a control label that is also part of a combination": Case(
        relabeled({"control": "AAVS1", "JAK2": "AAVS1+JAK2"}), renamed={"AAVS1": "control"}
    ),
    "fewer than 20 control cells": Case(lambda: plain(n_control=19)),
    "one perturbation": Case(lambda: plain(targets=("JAK2",))),
    "no perturbation": Case(lambda: plain(targets=())),
    "no perturbation with min_cells cells": Case(plain, given={"min_cells": 41}),
    "20,000 perturbations": Case(many, given={"min_cells": 2}),
    "groupby= with a name that is not a column of obs": Case(
        changed(lambda a: a.obs.rename(columns={"perturbation": "gene"}, inplace=True))
    ),
    "two columns of obs with the same name": Case(changed(repeated)),
    "a split column with words other than train, val and test": Case(column(lambda v: "validation", "split")),
    "every perturbation is a test perturbation": Case(column(lambda v: "test", "split")),
    "no test perturbation": Case(column(lambda v: "train", "split")),
    "batch_key= with a name that is not a column of obs": Case(plain, given={"batch_key": "batch"}),
    # values
    "raw counts": Case(values(lambda x: np.round(np.expm1(x) / 50))),
    "raw counts as int8, with normalize=True": Case(
        changed(lambda a: a.layers.__setitem__("counts", a.layers["counts"].astype(np.int8))), given=COUNTS
    ),
    "raw counts as int64 in CSC, with normalize=True": Case(
        changed(lambda a: a.layers.__setitem__("counts", sparse.csc_array(a.layers["counts"].astype(np.int64)))),
        given=COUNTS,
    ),
    "log-normalized values, with normalize=True": Case(plain, given={"normalize": True}),
    "counts and logarithms in one matrix": Case(values(joined)),
    "counts with fractions": Case(values(ambient)),
    "normalized counts without a logarithm": Case(values(np.expm1)),
    "proportions": Case(values(lambda x: np.expm1(x) / 1e4)),
    "proportions, with normalize=True": Case(
        changed(lambda a: a.layers.__setitem__("counts", np.expm1(a.X) / 1e4)), given=COUNTS
    ),
    "values with the logarithm taken twice": Case(values(np.log1p)),
    "size factors that are not totals": Case(
        changed(lambda a: a.obs.__setitem__("scran", np.linspace(0.5, 1.5, a.n_obs))),
        given={**COUNTS, "size_factors": "scran"},
    ),
    "negative values": Case(values(lambda x: x - 1)),
    "NaN": Case(values(at(1234, np.nan))),
    "infinite values": Case(values(at(3, np.inf))),
    "text": Case(values(lambda x: x.astype(str))),
    "objects": Case(values(lambda x: x.astype(object))),
    "complex numbers": Case(values(lambda x: x.astype(np.complex64))),
    "masked values": Case(values(lambda x: np.ma.masked_array(x, x > 8))),
    "float64": Case(values(lambda x: x.astype(np.float64))),
    "float16": Case(values(lambda x: x.astype(np.float16)), like=values(lambda x: x.astype(np.float16).astype(float))),
    "values in big-endian byte order": Case(values(lambda x: x.astype(">f4"))),
    "values stored column by column (Fortran order)": Case(values(np.asfortranarray)),
    "values that are not contiguous in memory": Case(values(lambda x: np.repeat(x, 2, axis=1)[:, ::2])),
    "read-only values": Case(values(read_only)),
    "CSR": Case(values(sparse.csr_matrix)),
    "CSC": Case(values(sparse.csc_array)),
    "CSR with each value stored as two entries": Case(values(with_parts)),
    "CSR with column indices in reverse order": Case(values(backwards)),
    "CSR with stored zeros and 64-bit indices": Case(values(stored_zeros)),
    "a view": Case(
        changed(lambda a: a[::2, 1:]), like=changed(lambda a: ad.AnnData(a.X[::2, 1:], obs=a.obs[::2], var=a.var[1:]))
    ),
    "cells in another order": Case(changed(lambda a: a[::-1].copy())),
    "several cells with the same name": Case(
        changed(lambda a: setattr(a, "obs_names", a.obs_names.str.replace("cell1$", "cell0", regex=True)))
    ),
    "cells without counts": Case(values(lambda x: np.where(np.arange(len(x))[:, None] % 5 == 0, 0, x))),
    "a gene without counts": Case(values(lambda x: np.where(np.arange(len(GENES)) == 9, 0, x))),
    "a matrix of identical values": Case(values(lambda x: x * 0 + 1.5)),
    "a sparse matrix without stored values": Case(values(lambda x: sparse.csr_matrix(x.shape, dtype=np.float32))),
    "no X": Case(changed(lambda a: ad.AnnData(obs=a.obs, var=a.var))),
    "no cells": Case(changed(lambda a: a[:0].copy())),
    "no genes": Case(changed(lambda a: a[:, :0].copy())),
    "one gene": Case(changed(lambda a: a[:, 7:8].copy())),
    "a layer that does not exist": Case(plain, given={"layer": "logged"}),
    "data backed by a file": Case(backed),
    "a dask array": Case(values(as_dask)),
    # genes
    "columns with guide counts among the genes": Case(guide_captures),
    "mitochondrial genes with points (MT.CO1), and a genome prefix before all names": Case(
        genes(SPELLED), renamed={v: k for k, v in SPELLED.items()}
    ),
    "two columns with the same gene symbol": Case(changed(second_column)),
    "repeated gene names": Case(genes({"MYC": "JAK2"})),
    "gene names with '/', spaces and markup": Case(genes({"GENE8": "GENE8 </b>/1"}), renamed={"GENE8 </b>/1": "GENE8"}),
    "Ensembl ids, symbols in var": Case(changed(ensembl), renamed=ENSEMBL),
    "Ensembl ids, no symbols": Case(genes({name: key for key, name in ENSEMBL.items()})),
    "mouse genes": Case(genes(MOUSE), renamed={v: k for k, v in MOUSE.items()}),
    "mouse genes, with species='mouse'": Case(
        genes(MOUSE), renamed={v: k for k, v in MOUSE.items()}, given={"species": "mouse"}
    ),
    # objects
    "a MuData": Case(lambda: _compat.mudata({"rna": plain()})),
    "a DataFrame": Case(lambda: plain().to_df()),
    "a path": Case(lambda: "screen.h5ad"),
    "None": Case(lambda: None),
    "profiles": Case(profiles),
    "concatenated profiles": Case(lambda: ad.concat([profiles(), profiles(1)], index_unique="-")),
    "profiles without the control": Case(lambda: (lambda p: p[p.obs["perturbation"] != "control"].copy())(profiles())),
    # arguments
    "covariates= with a name that is not a column of obs": Case(plain, given={"covariates": ["pct_counts_mt"]}),
    "a covariate with missing values": Case(
        column(lambda v: np.where(np.arange(len(v)) == 3, np.nan, 1.0), "gap"), given={"covariates": ["gap"]}
    ),
    "a covariate of text": Case(plain, given={"covariates": ["perturbation"]}),
    "key_added with '/'": Case(plain, given={"key_added": "a/b"}),
    "key_added with the name of an existing layer": Case(plain, given={"key_added": "counts"}),
    "a net without any known gene": Case(plain, given={"net": NET.replace({"JAK2": "A", "MYC": "B", "STAT1": "C"})}),
    "a net without the column source": Case(plain, given={"net": NET.rename(columns={"source": "from"})}),
}


@dataclass(frozen=True)
class Row:
    case: str
    calls: list[str]
    outcome: str
    says: str


def rows() -> list[Row]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    return [
        Row(r["input"], GROUPS.get(r["functions"], r["functions"].split()), r["outcome"], r["remark or message"])
        for r in read
    ]


ROWS = rows() if TABLE.exists() else []


@functools.cache
def expected(call: str, like: Callable[[], ad.AnnData]) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run(call, like(), {}, copy=True)


def as_in_the_plain_screen(answer: pd.DataFrame, renamed: dict[str, str]) -> pd.DataFrame:
    """Give things the names that they have in the plain screen."""
    answer = answer.rename(index=renamed, columns=renamed).astype(
        {c: object for c, t in answer.rename(columns=renamed).dtypes.items() if not pd.api.types.is_numeric_dtype(t)}
    )

    def back(text):
        if not isinstance(text, str):
            return text
        for here, there in renamed.items():
            text = re.sub(rf"(?<![\w.]){re.escape(here)}(?![\w.])", there, text)
        return text

    return answer.map(back) if renamed else answer


def assert_same(answer: pd.DataFrame, wanted: pd.DataFrame) -> None:
    if len(answer) > len(wanted) and answer.index.isin(wanted.index).sum() == len(wanted):
        answer = answer.loc[wanted.index]  # cells without a label have a row, too
    if set(answer.index) == set(wanted.index) and answer.index.is_unique:
        answer = answer.loc[wanted.index]  # cells in another order
    answer, wanted = (f.astype(object).where(f.notna(), None).infer_objects() for f in (answer, wanted))
    wanted = wanted.astype({c: object for c, t in wanted.dtypes.items() if not pd.api.types.is_numeric_dtype(t)})
    pd.testing.assert_frame_equal(
        answer,
        wanted,
        check_dtype=False,
        check_names=False,
        check_column_type=False,
        check_index_type=False,
        rtol=2e-5,
        atol=2e-5,
    )


def parameter(i: int, row: Row) -> Any:
    marks = [pytest.mark.needs("dask")] if "dask" in row.case else []
    return pytest.param(row, id=f"{row.case}-{row.outcome}-{i}", marks=marks)


@pytest.mark.parametrize("row", [parameter(i, row) for i, row in enumerate(ROWS)])
@pytest.mark.filterwarnings("ignore:Observation names are not unique:UserWarning")
def test_outcome(row: Row) -> None:
    case = CASES[row.case]
    for call in row.calls:
        data = case.make()
        before = snapshot(data)
        if row.outcome in ERRORS:
            for copy in (False, True):
                with pytest.raises(ERRORS[row.outcome]) as caught:
                    run(call, data, case.given, copy=copy)
                said = str(caught.value.args[0])
                assert row.says in said, (call, said)
                assert "\n" not in said
                assert snapshot(data) == before, call
            continue
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            answer = run(call, data, case.given, copy=True)
        assert snapshot(data) == before, call
        wanted = [row.says] if row.outcome.startswith("a warning") else []
        warned = [
            w for w in warned if not issubclass(w.category, DeprecationWarning)
        ]  # newer pandas, of anndata and mudata
        said = [str(w.message) for w in warned if "names are not unique" not in str(w.message)]
        assert len(said) == len(wanted), (call, said)
        assert all(text in said[0] for text in wanted), (call, said)
        if SAME in row.outcome:
            same, wanted_answer = as_in_the_plain_screen(answer, case.renamed), expected(call, case.like)
            if case.renamed and call == "tl.confounding":  # which target a set is known by their names
                same, wanted_answer = (f.drop(columns=["share_without", "n_target"]) for f in (same, wanted_answer))
            assert_same(same, wanted_answer)
        assert len(answer) or call == "tl.balance", call  # a screen may hold no column to test


def test_every_case_has_its_row_and_every_row_its_case() -> None:
    assert sorted({row.case for row in ROWS}) == sorted(CASES)
    assert {row.outcome for row in ROWS} <= {SAME, ANSWER, *ERRORS, f"a warning and {SAME}", f"a warning and {ANSWER}"}
    assert {call for row in ROWS for call in row.calls} <= set(CALLS)
