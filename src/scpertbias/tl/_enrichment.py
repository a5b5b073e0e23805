"""Fisher's exact test of many lists of genes against many sets, with decoupler as the engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csc_array

from .._core.resampling import benjamini_hochberg

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MIN_OVERLAP = 3
TOO_SMALL = f"too small: under {MIN_OVERLAP} genes in common"
COLUMNS = {
    "model": "string",
    "of": "string",
    "perturbation": "string",
    "source": "string",
    "overlap": "int64",
    "k": "int64",
    "set_size": "int64",
    "background": "int64",
    "genes": "string",
    "log_odds": "float64",
    "p": "float64",
    "q": "float64",
    "note": "string",
}


@dataclass(frozen=True)
class Lists:
    """Lists of genes by (model, of): a name for each, and which of the measured ``genes`` (sorted) it holds."""

    genes: npt.NDArray[np.str_]
    members: dict[tuple[str, str], tuple[list[str], npt.NDArray[np.bool_]]]


def enrich_table(lists: Lists, sets: pd.DataFrame) -> pd.DataFrame:
    """Test every list against every set (``source``, ``target``: measured genes only).

    Pairs with a gene in common are listed; the others, whose p is 1, count in ``q``.
    """
    codes, names = pd.factorize(sets["source"])
    at = np.searchsorted(lists.genes, sets["target"].to_numpy(str))
    member = csc_array((np.ones(len(at), dtype=np.int64), (at, codes)), shape=(len(lists.genes), len(names)))
    size = np.asarray(member.sum(axis=0), dtype=np.int64)
    genes_of = [np.sort(member.indices[member.indptr[j] : member.indptr[j + 1]]) for j in range(len(names))]
    frames: list[pd.DataFrame] = []
    n_tests: dict[str, int] = {}
    for (model, of), (lines, mask) in lists.members.items():
        overlap, k = np.asarray(mask.astype(np.int64) @ member), mask.sum(axis=1)
        row, column = np.nonzero(overlap)
        found = [lists.genes[genes_of[c][mask[r, genes_of[c]]]] for r, c in zip(row, column, strict=True)]
        frame = {
            "model": model,
            "of": of,
            "perturbation": np.array(lines, dtype=object)[row],
            "source": names.to_numpy(object)[column],
            "overlap": overlap[row, column],
            "k": k[row],
            "set_size": size[column],
            "genes": [", ".join(genes) for genes in found],
        }
        frames.append(pd.DataFrame(frame))
        n_tests[model] = n_tests.get(model, 0) + int((k > 0).sum()) * len(names)
    if not frames:
        return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in COLUMNS.items()})
    table = pd.concat(frames, ignore_index=True).assign(background=len(lists.genes))
    table["log_odds"], table["p"] = _tested(table, len(lists.genes))
    table["q"] = np.nan
    for model, frame in table.groupby("model", sort=False):
        without = np.ones(n_tests[str(model)] - len(frame))
        table.loc[frame.index, "q"] = benjamini_hochberg(np.append(frame["p"], without))[: len(frame)]
    table["note"] = np.where(table["overlap"] < MIN_OVERLAP, TOO_SMALL, "")
    line = table.groupby(["model", "of", "perturbation"], sort=False).ngroup()
    order = np.lexsort((table["p"].to_numpy(), line.to_numpy()))
    return table.iloc[order][list(COLUMNS)].reset_index(drop=True)


def _tested(table: pd.DataFrame, background: int) -> tuple[FloatArray, FloatArray]:
    """Return log odds and p of each row: each distinct table of counts is asked once."""
    cases, inverse = np.unique(table[["k", "overlap", "set_size"]].to_numpy(np.int64), axis=0, return_inverse=True)
    answers = np.full((len(cases), 2), np.nan)
    for k in np.unique(cases[:, 0]):
        mine = np.flatnonzero(cases[:, 0] == k)
        answers[mine] = query(int(k), cases[mine, 1:], background)
    return answers[inverse.ravel(), 0], answers[inverse.ravel(), 1]


def query(k: int, cases: IntArray, background: int) -> FloatArray:
    """Ask :func:`decoupler.mt.query_set` about sets of which (overlap, size) with k query genes is known.

    The answer depends on these counts alone, while a call for each list would take minutes for a whole screen: so one
    call tests one made-up set for each distinct pair of counts. Returned are log odds and p (cases × 2).
    """
    import decoupler as dc

    rows = [
        (str(i), f"{'in' if j < overlap else 'out'}_{j}")
        for i, (overlap, size) in enumerate(cases.tolist())
        for j in range(size)
    ]
    net = pd.DataFrame(rows, columns=["source", "target"])
    found = dc.mt.query_set([f"in_{j}" for j in range(k)], net, n_bg=background, tmin=0)
    ordered: FloatArray = (
        found.set_index("source").loc[[str(i) for i in range(len(cases))], ["stat", "pval"]].to_numpy()
    )
    return ordered
