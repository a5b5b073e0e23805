"""Rates of the answer yes in screens without effects, made of the control cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from .. import _moments, _store, _tables, _validate
from .._core.arrays import BoolArray, IntArray
from .._core.null_screens import cells_to_copy, choose_perturbations, wilson
from .._docs import docs
from .._log import added, progress, quiet, warn
from ._audit.audit import audit as run_audit
from ._audit.jobs import number_of_workers
from ._audit.prepare import prepare
from ._audit.settings import AUTO, AuditSettings
from ._calibration_questions import PERTURBATIONS, QUESTIONS, QuestionKey, answers

BY = ("cells", "guides")
MODELS = ("no_change", "mean", "ridge")
TOO_FEW = {"cells": "too few control cells", "guides": "too few control guides"}
MIN_GUIDES, MIN_CELLS = 6, 20


@docs.dedent
def calibrate(
    adata: AnnData,
    *,
    by: Literal["cells", "guides"] = "cells",
    guide_key: str | None = None,
    n_screens: int = 100,
    max_cells: int = 20_000,
    n_jobs: int | None = None,
    rng: int | np.random.Generator | None = 0,
    copy: bool = False,
    **audit: Any,
) -> AnnData | None:
    """Audit screens without effects (null screens), and count how often each question of an audit is answered with yes.

    A null screen consists of control cells of this screen. In each batch, control cells get the labels of random cells
    of the same batch (perturbed or control). Therefore, null screens are like the screen in three respects: the ratio
    of perturbed to control cells, the sizes of perturbations, and the composition of batches. Each null screen is
    audited completely.

    Parameters
    ----------
    adata
        Cells, as for :func:`scpertbias.tl.audit`.
    by
        ``"cells"``: a null perturbation consists of random control cells. ``"guides"``: a null perturbation consists of
        all cells of random control guides. Half of the guides get labels of perturbations. Guides with fewer than 20
        cells are not used, and at least 6 guides are required. Rows of an earlier run with the other value of ``by``
        are kept.
    guide_key
        Column of ``obs`` with guides, for ``by="guides"``.
    n_screens
        Number of null screens. If the answer is yes in 0 of 100 screens, the 95%% interval of the rate ends at 3.7%%.
        With 0 of 20 screens, the interval ends at 16%%.
    max_cells
        Maximum number of control cells that get labels, drawn at random.
    n_jobs
        Number of null screens that are audited in parallel, each in a separate process; by default as for
        :func:`scpertbias.tl.audit`. Results do not depend on it.
    %(rng)s
    %(copy)s
    **audit
        Arguments of :func:`scpertbias.tl.audit`, as for the screen itself. The default of ``models`` is ``no_change``,
        ``mean`` and ``ridge``.

    Returns
    -------
    %(stored)s Sets the following field:

    %(field_calibration)s

    Raises
    ------
    ValueError
        If an argument is unknown, or the audit cannot read the cells.

    Notes
    -----
    A later audit of these cells includes the table, and the report of that audit states the rate with each verdict.

    All null screens use the same control cells, so the rates are valid for this control, not for the method in general.

    In a null screen, all true effects are 0, so predictions close to the control have small errors. Therefore, a score
    that is better than the score of the mean baseline does not show that a model predicts effects. Also look at
    ``specific_gain`` of :func:`scpertbias.tl.specificity`.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.tl.calibrate(adata, n_screens=2, models=("mean",), covariates=(), batch_key="bio_rep")
    >>> spb.get.calibration(adata, question="response_known")["n"].tolist()
    [2]
    """
    _validate.choice(by, BY, argument="by")
    if (by == "guides") != (guide_key is not None):
        msg = (
            f"`guide_key` is {guide_key!r}. Pass a column of guides if by='guides', and omit `guide_key` if by='cells'."
        )
        raise ValueError(msg)
    if n_screens < 1:
        msg = f"`n_screens` is {n_screens}; it must be 1 or more."
        raise ValueError(msg)
    if _store.profiles_record(adata) is not None:
        msg = "`adata` contains profiles; null screens need cells. Pass the cells."
        raise TypeError(msg)
    settings = {**audit, "n_random": 0, "regimes": ("full",), "n_jobs": 1, "models": audit.get("models", MODELS)}
    maker = null_screens_of(adata, settings, max_cells=max_cells, guide_key=guide_key, rng=rng)
    table = calibration_table(maker, by=by, n_screens=n_screens, n_jobs=n_jobs, rng=rng)
    if _store.has_table(adata, "calibration"):
        before = _tables.read(adata, "calibration")
        table = pd.concat([before[before["by"] != by], table], ignore_index=True)
    adata = adata.copy() if copy else adata
    _store.put(adata, calibration=table)
    added("'calibration', one row per question (adata.uns['scpertbias'])")
    return adata if copy else None


def calibration_table(
    maker: NullScreens | None, *, by: str, n_screens: int, n_jobs: int | None, rng: int | np.random.Generator | None
) -> pd.DataFrame:
    """Return the rows of :func:`calibrate`."""
    if maker is None:
        warn(f"The audit cannot be calibrated: {TOO_FEW[by]}.")
        row = {"question": "screen", "model": "", "metric": "", "by": by, "n": 0, "note": TOO_FEW[by]}
        return pd.DataFrame([row]).reindex(columns=_tables.columns("calibration")).astype({"flag": "boolean"})
    seeds = [int(seed) for seed in np.random.default_rng(rng).integers(2**32, size=n_screens)]
    pool = joblib.Parallel(n_jobs=number_of_workers(n_jobs), return_as="generator")
    results = pool(joblib.delayed(_answers)(maker, seed) for seed in seeds)
    return _rates(list(progress("null screens", n_screens, items=results)), by)


@dataclass(frozen=True)
class NullScreens:
    """Data for null screens: the control cells, and the cells whose labels are assigned to them.

    ``cells`` are the control cells (m), ``control`` their places among all n cells, ``pool`` says which of these have labels
    to take, ``batch`` and ``labels`` (n,) are theirs. ``settings`` are the arguments of the audits. With ``guides`` (m,), −1
    in cells of small ones, half of the guides take labels of ``names``.
    """

    cells: AnnData
    control: IntArray
    pool: BoolArray
    batch: IntArray
    labels: npt.NDArray[np.object_]
    groupby: str
    settings: Mapping[str, Any]
    guides: IntArray | None = None
    names: tuple[str, ...] = ()

    def make(self, seed: int) -> AnnData:
        """Make a null screen, without a copy of the values."""
        rng = np.random.default_rng(seed)
        null = _store.light(self.cells, self.settings.get("layer"))
        if self.guides is None:
            labels = self.labels[cells_to_copy(self.control, self.pool, self.batch, rng)]
        else:
            labels, n_guides = self.labels[self.control].copy(), int(self.guides.max()) + 1
            for guide, name in zip(
                rng.permutation(n_guides)[: n_guides // 2], rng.permutation(self.names), strict=False
            ):
                labels[self.guides == guide] = name
        null.obs[self.groupby] = labels.astype(str)
        return null


def null_screens_of(
    adata: AnnData,
    settings: Mapping[str, Any],
    *,
    max_cells: int,
    rng: int | np.random.Generator | None,
    guide_key: str | None = None,
) -> NullScreens | None:
    """Return the data for null screens, or None if there are too few control cells or guides."""
    audit = AuditSettings(**{key: value for key, value in settings.items() if key not in ("models", "model_params")})
    data = audit.data
    if audit.batch_key == AUTO:
        with quiet():
            record = _store.profiles_record(prepare(adata, [], None, audit).profiles) or {}
        data["batch_key"] = [str(column) for column in record.get("adopted_columns", [])] or None
    light = _store.light(adata, audit.layer)
    with quiet():
        codes, _, _ = _moments.cell_codes(light, {**data, "split_key": ""})
    batch, _ = _validate.batch_codes(light, data["batch_key"])
    codes = np.where(batch < 0, -1, codes)
    control = np.flatnonzero(codes == 0)
    generator = np.random.default_rng(rng)
    used = np.sort(generator.choice(control, max_cells, replace=False)) if len(control) > max_cells else control
    n_cells = np.bincount(codes[codes > 0], minlength=int(codes.max(initial=0)) + 1)[1:]
    chosen = choose_perturbations(n_cells.astype(np.float64), float(len(control)), len(used))
    guides = None if guide_key is None else _large_guides(light, guide_key, used)
    if not len(chosen) if guides is None else guides.max(initial=-1) + 1 < MIN_GUIDES:
        return None
    cells = light[used].to_memory()
    cells.obs = cells.obs.drop(columns=audit.split_key, errors="ignore")  # control cells are of one split
    return NullScreens(
        cells=cells,
        control=used,
        pool=(codes == 0) | np.isin(codes, chosen + 1),
        batch=batch,
        labels=light.obs[audit.groupby].astype(str).to_numpy(object),
        groupby=audit.groupby,
        settings={**settings, "batch_key": data["batch_key"]},
        guides=guides,
        names=tuple(light.obs[audit.groupby].astype(str).groupby(codes).first().loc[1:]),
    )


def _large_guides(cells: AnnData, guide_key: str, control: IntArray) -> IntArray:
    """Return the guide of each control cell, −1 for guides with fewer than 20 cells."""
    column = _validate.column(cells, guide_key, argument="guide_key").iloc[control]
    codes = pd.factorize(column)[0]
    large = np.bincount(codes[codes >= 0], minlength=int(codes.max(initial=-1)) + 1) >= MIN_CELLS
    place = np.where(large, np.cumsum(large) - 1, -1)
    return np.where(codes >= 0, place[codes], -1).astype(np.int64)


def _answers(maker: NullScreens, seed: int) -> dict[QuestionKey, float]:
    """Make a null screen, audit it, and return the answers of the audit."""
    with quiet():
        return answers(run_audit(maker.make(seed), **{**maker.settings, "rng": seed % 2**31}))


def _place(key: QuestionKey) -> int:
    return list(QUESTIONS).index(key.question)


def _rates(screens: list[dict[QuestionKey, float]], by: str) -> pd.DataFrame:
    """Return how often each question was answered with yes, with the interval of Wilson, or the range over screens."""
    keys = sorted(dict.fromkeys(one for screen in screens for one in screen), key=_place)
    rows = []
    for one in keys:
        question = QUESTIONS[one.question]
        values = np.array([screen[one] for screen in screens if one in screen])
        rate, n = float(values.mean()), len(values)
        low, high = wilson(float(values.sum()), n)
        if question.counts == PERTURBATIONS:
            low, high = (float(end) for end in np.quantile(values, [0.025, 0.975]))
        rows.append(
            {
                "question": one.question,
                "model": one.model,
                "metric": one.metric,
                "by": by,
                "n": n,
                "rate": rate,
                "ci_low": low,
                "ci_high": high,
                "nominal": question.nominal,
                "flag": low > question.nominal,
                "note": question.sentence,
            }
        )
    table = pd.DataFrame(rows, columns=_tables.columns("calibration"))
    return table.astype({"flag": "boolean"})
