"""The scale of the values: what is read, what is refused, and what takes values to a scale that is read.

Every problem has its fixes, all of which are stated in the error. A test applies each of them to values of each kind: what
one message proposes is never refused by another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ._core import scales
from ._core.arrays import FloatArray
from ._core.scales import LARGEST_LOG, RowScales
from ._core.sums import extremes

MIN_COUNTS = 10
"""Cells with fewer counts than this are reported: they contain little information, but are scaled like other cells."""
EARLY = 1000
"""The scale is first checked after this number of values, because a few whole numbers do not show raw counts."""

FIXES = {
    "normalize": "pass normalize=True to spb.pp.profiles or spb.tl.audit",
    "log_normalize": "run sc.pp.normalize_total(adata, target_sum=1e4); sc.pp.log1p(adata) and omit normalize=True",
    "as_they_are": "omit normalize=True if the values are already log-normalized",
    "counts": "pass the layer of the raw counts",
    "logs": "pass log-normalized values",
    "unlog": "undo one of the two logarithms with adata.X = np.expm1(adata.X), and omit normalize=True",
    "one_scale": (
        "log-normalize the raw counts of each source before joining them (sc.pp.normalize_total, then sc.pp.log1p), "
        "and omit normalize=True"
    ),
    "base": "if they are logarithms to base 2, set adata.uns['log1p'] = {'base': 2}",
    "finite": "remove these values first",
}
# Problem (how it is stated), and the fixes.
PROBLEMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "not_finite": ("{where} contains NaN or infinite values", ("finite",)),
    "negative": (
        "{where} contains negative values (down to {low:.3g}), like z-scores. Negative values are accepted only in "
        "layers made by spb.pp.standardize or spb.pp.regress_mt_ribo",
        ("logs",),
    ),
    "mixed": ("{where} contains cells on different scales: {shares}", ("one_scale",)),
    "counts": (
        "{where} seems to contain raw counts (whole numbers up to {high:.0f}); log-normalized values are expected",
        ("log_normalize", "normalize"),
    ),
    "proportions": (
        "{where} contains proportions (every cell sums to 1); log-normalized values are expected",
        ("log_normalize", "normalize"),
    ),
    "linear": (
        "{where} contains normalized counts without a logarithm (values up to {high:.4g}); log-normalized values are "
        "expected",
        ("log_normalize", "normalize"),
    ),
    "too_large": (
        "{where} contains values up to {high:.4g}, too large for log-normalized values (log1p of a million is 13.8). "
        "Fractional counts, as after correction for ambient RNA, also need normalization",
        ("log_normalize", "normalize", "base"),
    ),
    "logged_twice": ("{where} contains logarithms of logarithms: log1p was applied twice", ("unlog",)),
    "logs": ("`normalize=True` expects raw counts, but {where} is already log-normalized", ("as_they_are", "counts")),
    "not_counts": (
        "`normalize=True` expects raw counts, but {where} contains other values (maximum {high:.3g})",
        ("as_they_are", "counts", "log_normalize"),
    ),
}
WORDS = {
    scales.COUNTS: "raw counts",
    scales.LINEAR: "normalized counts without a logarithm",
    scales.LN: "natural logarithms",
    scales.LOG2: "logarithms to base 2",
    scales.LOG10: "logarithms to base 10",
    scales.TWICE: "values logged twice",
    "": "other values",
}
LOGGED = "log-normalized"
GUESSES = {
    "not_finite": "NaN or infinite values",
    "negative": "scaled values or residuals",
    "mixed": "cells on different scales",
    "counts": WORDS[scales.COUNTS],
    "proportions": "proportions",
    "linear": WORDS[scales.LINEAR],
    "too_large": "too large for logarithms",
    "logged_twice": WORDS[scales.TWICE],
}
"""Descriptions of values on an unsuitable scale, which the inspection of a file prints."""
NORMALIZED = tuple(GUESSES[name] for name in ("counts", "linear", "proportions", "too_large"))
"""Kinds of values that ``normalize=True`` log-normalizes, the best first."""


class Scale:
    """Checks values in parts, by value and by cell: raises an error for NaN, z-scores and values on the wrong scale."""

    def __init__(
        self, *, layer: str | None, normalize: bool, may_be_negative: bool = False, log_base: float | None = None
    ) -> None:
        self.layer = layer
        self.where = "X" if layer is None else f"layers[{layer!r}]"
        self.normalize, self.may_be_negative, self.stated_base = normalize, may_be_negative, log_base
        self.low, self.high, self.whole, self.n = np.inf, -np.inf, True, 0
        self.rows = RowScales()
        self.n_sized, self.size_sum, self.n_shallow = 0, 0.0, 0

    def add(self, x: Any, *, whole_cells: bool = True) -> None:
        """Look at some of the values, and refuse what can be refused already."""
        self.look(x, whole_cells=whole_cells)
        self._refuse(("not_finite", "negative"))
        if self.n >= EARLY:
            self._refuse(early=True)

    def look(self, x: Any, *, whole_cells: bool = True) -> None:
        """Look at some of the values; ``whole_cells`` says whether they are all those of some cells."""
        if not isinstance(x, np.ndarray) and not (sparse.issparse(x) and x.format in {"csr", "csc"}):
            msg = f"{self.where} is a {type(x).__name__}; dense, CSR and CSC arrays are read."
            raise TypeError(msg)
        numbers(x, layer=self.layer)
        values = np.asarray(x) if isinstance(x, np.ndarray) else x.data
        if values.size == 0:
            return
        low, high = extremes(values)
        self.low, self.high = float(np.minimum(self.low, low)), float(np.maximum(self.high, high))
        self.n += values.size
        self.whole = self.whole and _all_whole(values)
        if not self.may_be_negative and self.low >= 0 and np.isfinite(self.high):
            self.rows.add(x, whole_cells=whole_cells)

    def add_sizes(self, size: FloatArray) -> None:
        """Look at what counts of some cells are divided by."""
        positive = size[size > 0]
        self.n_sized, self.size_sum = self.n_sized + len(positive), self.size_sum + float(positive.sum())
        self.n_shallow += int((positive < MIN_COUNTS).sum())

    def finish(self) -> None:
        """Look at what all values were."""
        if self.n == 0:
            msg = (
                f"{self.where} is empty: no cell, no gene, or only zeros. Pass cells with expression, or name the "
                f"layer (layer=)."
            )
            raise ValueError(msg)
        self._refuse()

    def fresh(self) -> Scale:
        """Return one that has seen nothing."""
        return Scale(
            layer=self.layer,
            normalize=self.normalize,
            may_be_negative=self.may_be_negative,
            log_base=self.stated_base,
        )

    def join(self, other: Scale) -> None:
        """Take over what another one saw."""
        self.low, self.high = float(np.minimum(self.low, other.low)), float(np.maximum(self.high, other.high))
        self.whole, self.n = self.whole and other.whole, self.n + other.n
        self.rows.join(other.rows)
        self.n_sized, self.size_sum = self.n_sized + other.n_sized, self.size_sum + other.size_sum
        self.n_shallow += other.n_shallow

    @property
    def log_base(self) -> float:
        """Base of the logarithms: that of the values where they show it, else the one stated, else e."""
        if self.normalize:
            return float(np.e)
        return scales.BASES.get(self.rows.scale or "", self.stated_base or float(np.e))

    def record(self) -> dict[str, Any]:
        """Return what is known of the values, for a record."""
        target_sum = self.rows.target_sum(self.rows.scale or "")
        return {
            "scale": self.rows.scale or "",
            "scale_sum": float("nan") if target_sum is None else float(f"{target_sum:.3g}"),
            "scale_sums": [float(f"{s:.2g}") for s in self.rows.target_sums] if self.rows.scale == scales.LN else [],
            "not_normalized": self.rows.not_normalized,
            "log_base": self.log_base,
            "n_shallow": self.n_shallow,
            "mean_size": self.size_sum / self.n_sized if self.n_sized else float("nan"),
        }

    def problem(self, *, early: bool = False) -> str | None:
        """Return what is wrong with the values so far, a key of ``PROBLEMS``; ``early``: more are to come."""
        if self.n and not (np.isfinite(self.low) and np.isfinite(self.high)):
            return "not_finite"
        if self.may_be_negative:
            return None
        if self.low < 0:
            return "negative"
        if self._shares():
            return "mixed"
        scale = self.rows.scale
        counts = self.whole and self.high > 1 and scale != scales.LINEAR
        if scale == scales.TWICE:
            return "logged_twice"
        largest = LARGEST_LOG / min(1.0, np.log(self.log_base))  # no lower limit for base 10
        if self.normalize:
            if scale in scales.BASES:
                return "logs"
            counts = counts or (early and self.whole)
            return None if counts or scale == scales.LINEAR or self.high > LARGEST_LOG else "not_counts"
        if counts:
            return "counts"
        if scale == scales.LINEAR:
            total = self.rows.target_sum(scale)
            return "proportions" if total is not None and abs(total - 1) < scales.EXACT else "linear"
        return "too_large" if self.high > largest else None

    def guess(self) -> str:
        """Return what the values are called: one of ``GUESSES``, or log-normalized."""
        problem = self.problem()
        return LOGGED if problem is None else GUESSES[problem]

    def figures(self) -> str:
        """Return the figures that say what the values are."""
        span = f"{self.low:.3g} to {self.high:.3g}"
        if self.problem() == "mixed":
            return f"{span}: {self._stated_shares()}"
        scale = self.rows.scale or ""
        total = self.rows.target_sum(scale)
        words = f"; {WORDS[scale]} of counts" if scale in scales.BASES else ""
        return span + words + ("" if total is None else f"; every cell sums to {total:g}")

    def _stated_shares(self) -> str:
        return ", ".join(f"{100 * share:.0f}% {WORDS[name]}" for name, share in self._shares().items())

    def _shares(self) -> dict[str, float]:
        """Return the share of the cells on each scale where there are several, none where there is one."""
        shares = self.rows.scales
        rest = 1 - sum(shares.values())
        # Among counts, other values that are too large for logarithms are fractional counts.
        if set(shares) == {scales.COUNTS} and rest * self.rows.n > 1 and self.rows.rest <= LARGEST_LOG:
            shares = {**shares, "": rest}
        return shares if len(shares) > 1 else {}

    def _refuse(self, problems: tuple[str, ...] | None = None, *, early: bool = False) -> None:
        problem = self.problem(early=early)
        if problem is None or (problems is not None and problem not in problems):
            return
        text, fixes = PROBLEMS[problem]
        text = text.format(where=self.where, low=self.low, high=self.high, shares=self._stated_shares())
        advice = "; or ".join(FIXES[fix] for fix in fixes)
        msg = f"{text}. {advice[0].upper()}{advice[1:]}."
        raise ValueError(msg)


def numbers(x: Any, *, layer: str | None) -> None:
    """Refuse text, objects, complex numbers and masked values."""
    where = "X" if layer is None else f"layers[{layer!r}]"
    if x.dtype.kind not in "biuf":
        msg = (
            f"{where} contains values of type {x.dtype}; real numbers are needed: convert it with .astype(np.float32)."
        )
        raise TypeError(msg)
    if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
        msg = f"{where} is a masked array, and masked entries would be read as values; fill them with .filled() or drop the cells."
        raise ValueError(msg)


def _all_whole(values: npt.NDArray[Any]) -> bool:
    flat = values.ravel(order="K")
    sample = flat[:: max(1, flat.size // 50_000)]
    return bool(np.array_equal(sample, np.round(sample)) and np.array_equal(flat[:5000], np.round(flat[:5000])))
