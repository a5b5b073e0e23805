"""Effect of retraining on the predictions for the kept genes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from threadpoolctl import threadpool_limits

from .. import _held_out, _moments, _results, _store, _tables
from .._compat import copy_mudata
from .._core.arrays import BoolArray, FloatArray, IntArray
from .._docs import docs
from .._log import added
from .._models._base import closed_form, closed_forms, problem, specs
from .._models._net import Graphs, graphs_of
from .._moments import Screen

FULL = "full"
TRAINING, UNSEEN = "training", "unseen"
OTHER_VALUES = ("regressed",)
NO_CHANGE = "the full model predicts no effect"
NO_ROWS = "no perturbation is predicted by both the full and the retrained model"


@docs.dedent
def coupling(mdata: MuData, net: pd.DataFrame | None = None, *, copy: bool = False) -> MuData | None:
    """Measure how much retraining without some genes changes the predictions for the remaining genes.

    ``shift`` is the distance between the predictions of the retrained and of the full model, relative to the effects that
    the full model predicts. If it is 0, removing genes after training is equivalent to retraining (as for ridge, which
    fits each gene independently). ``shift_seed`` is the same distance between two trainings with different seeds; only a
    ``shift`` above ``shift_seed`` is evidence of coupling.

    Parameters
    ----------
    mdata
        Result of :func:`scpertbias.tl.audit`.
    net
        The gene network passed to :func:`scpertbias.tl.audit` (by default the result of
        :func:`scpertbias.pp.coexpression_net`). Without it, the rows ``training`` of graph models are NaN.
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following field:

    %(field_coupling)s

    Raises
    ------
    TypeError
        If ``mdata`` is not a MuData.
    ValueError
        If ``full`` is the only regime.
    KeyError
        If no model is stored.

    References
    ----------
    Kavirayuni & Venturelli 2025, section 3.1 (exclusion after training, and retraining).

    Examples
    --------
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", covariates=["p_mito"], models=("ridge",))
    >>> spb.tl.coupling(mdata)
    >>> spb.get.coupling(mdata, regime="no_mt")["shift"].round(6).tolist()
    [0.0, 0.0]
    """
    if not isinstance(mdata, MuData):
        msg = f"`mdata` is a {type(mdata).__name__}; coupling compares regimes. Pass the result of spb.tl.audit."
        raise TypeError(msg)
    table = coupling_table(mdata, net)
    mdata = copy_mudata(mdata) if copy else mdata
    _store.put(mdata, coupling=table)
    added("'coupling', one row per model, regime and group of perturbations (mdata.uns['scpertbias'])")
    return mdata if copy else None


@threadpool_limits.wrap(limits=1, user_api="blas")  # small systems: more threads only wait for each other
def coupling_table(
    mdata: MuData,
    net: pd.DataFrame | None = None,
    *,
    in_sample: Mapping[str, Mapping[str, FloatArray]] | None = None,
) -> pd.DataFrame:
    """Return the table of :func:`coupling`.

    Parameters
    ----------
    mdata
        Regimes with their stored models.
    net
        Gene network of the graph models.
    in_sample
        By regime and model: predictions (perturbations × genes, in the order of the names) of the fit on all
        perturbations, if available; other models are fitted again.
    """
    at_hand = in_sample or {}
    others = [regime for regime in mdata.mod if regime != FULL]
    if FULL not in mdata.mod or not others:
        msg = f"`mdata` contains the regimes {list(mdata.mod)}, but 'full' and another regime are needed. See regimes of spb.tl.audit."
        raise ValueError(msg)
    models = _results.model_records(mdata[FULL], None)
    full = RegimeFits(mdata, FULL, net, at_hand.get(FULL, {}))
    of_regime = {r: None if r in OTHER_VALUES else RegimeFits(mdata, r, net, at_hand.get(r, {})) for r in others}
    rows = []
    for model in models:  # outside: the full model is fitted once for all regimes
        regimes = [regime for regime in others if _trained_in(mdata[regime], model, regime)]
        rows += [row for regime in regimes for row in _rows(model, regime, full, of_regime[regime])]
    return pd.DataFrame(rows, columns=_tables.columns("coupling"))


def _trained_in(adata: AnnData, model: str, regime: str) -> bool:
    """Whether a model was trained in this regime; predictions of the full model can be stored there, too."""
    record = _store.models(adata).get(model)
    return record is not None and record.get("regime", regime) == regime


class RegimeFits:
    """One regime: its screen, its stored models, and fits on all perturbations, computed on demand."""

    def __init__(self, mdata: MuData, regime: str, net: pd.DataFrame | None, at_hand: Mapping[str, FloatArray]) -> None:
        self.adata: AnnData = mdata[regime]
        self.screen: Screen = _moments.of(self.adata)
        self._net = net
        self._quiet = regime != FULL  # there, edges to genes that are left out are no news
        self._graphs: Graphs | None = None
        self.at_hand = at_hand
        self._last: dict[str, FloatArray] = {}  # no more than one fit is kept

    def stored(self, model: str) -> FloatArray:
        """Predictions as they are stored."""
        return _results.predictions(self.adata, model, self.screen).to_numpy(np.float64)

    def in_sample(self, model: str) -> FloatArray:
        """Predictions of one fit on all perturbations; rows that were not trained on are NaN."""
        if model in self.at_hand or model in self._last:
            return self.at_hand[model] if model in self.at_hand else self._last[model]
        record = _store.models(self.adata)[model]
        graphs = self.graphs() if "net" in specs()[record["kind"]].needs else None
        on_all = problem(self.screen, np.ones(len(self.screen.perturbation), dtype=bool), graphs=graphs)
        predictions = closed_form(record["kind"])(on_all, **record["params"]).predictions
        self._last = {model: np.where(on_all.trained[:, None], predictions, np.nan)}
        return self._last[model]

    def graphs(self) -> Graphs | None:
        """Laplacians of the net, if there is one."""
        if self._graphs is None:
            self._graphs = graphs_of(self.screen, self._net, quiet=self._quiet)
        return self._graphs


def _rows(model: str, regime: str, full: RegimeFits, other: RegimeFits | None) -> list[dict[str, Any]]:
    """Return the training and the unseen row of a model in a regime."""
    record = _store.models(full.adata)[model]
    rows = []
    for kind in (TRAINING, UNSEEN):
        if other is None:
            shift, seed, n, note = np.nan, np.nan, 0, "not comparable, because covariates were regressed out"
        else:
            shift, n, note = _shift_of(model, kind, record, full, other)
            seed, seed_note = _seed_shift(model, kind, record, full, other)
            note = "; ".join(part for part in (note, seed_note) if part)
        rows.append(
            {"model": model, "regime": regime, "rows": kind, "shift": shift, "shift_seed": seed, "n": n, "note": note}
        )
    return rows


def _seed_shift(
    model: str, kind: str, record: Mapping[str, Any], full: RegimeFits, other: RegimeFits
) -> tuple[float, str]:
    """Return the distance of two full trainings with different seeds on the genes of the regime, or a reason."""
    if record["kind"] in closed_forms():
        return 0.0, ""
    if "other_seed" not in record:
        return np.nan, "shift_seed needs two trainings with different seeds"
    columns = full.screen.genes.get_indexer(other.screen.genes)
    unseen = _unseen(record, full)
    rows = unseen if kind == UNSEEN else ~unseen
    rows[0] = False
    other_seed = np.asarray(record["other_seed"], dtype=np.float64)
    seed, _, _ = shift(
        full.stored(model)[:, columns], other_seed[:, columns], full.screen.moments.control[columns], rows
    )
    return seed, ""


def _shift_of(
    model: str, kind: str, record: Mapping[str, Any], full: RegimeFits, other: RegimeFits
) -> tuple[float, int, str]:
    unseen = _unseen(record, full)
    if kind == TRAINING and record.get("cross_fitted"):
        both_at_hand = model in full.at_hand and model in other.at_hand
        if not both_at_hand and (reason := _cannot_refit(record, full)):
            return np.nan, 0, reason
        before, after = full.in_sample(model), other.in_sample(model)
        rows = np.ones(len(unseen), dtype=bool)
    else:
        before, after = full.stored(model), other.stored(model)
        rows = unseen if kind == UNSEEN else ~unseen
    rows[0] = False  # the control
    columns = full.screen.genes.get_indexer(other.screen.genes)
    return shift(
        before[:, columns], after[_order(full.screen, other.screen)], full.screen.moments.control[columns], rows
    )


def shift(before: FloatArray, after: FloatArray, control: FloatArray, candidates: BoolArray) -> tuple[float, int, str]:
    """Return the distance of two predictions (perturbations × kept genes), relative to that of the first from control.

    Also return the number of perturbations that both predict, and the reason for a missing value.
    """
    rows = candidates & np.isfinite(before).all(axis=1) & np.isfinite(after).all(axis=1)
    n = int(rows.sum())
    if not n:
        return np.nan, 0, NO_ROWS
    size = float(np.linalg.norm(before[rows] - control))
    if size <= 1e-12 * max(1.0, float(np.linalg.norm(control))):
        return np.nan, n, NO_CHANGE
    return float(np.linalg.norm(after[rows] - before[rows])) / size, n, ""


def _unseen(record: Mapping[str, Any], full: RegimeFits) -> BoolArray:
    """Return which perturbations the stored predictions have not seen."""
    names = _held_out.unseen(record, full.screen, _results.folds(full.adata, {"": record}))
    return np.isin(np.array(full.screen.names), names)


def _cannot_refit(record: Mapping[str, Any], full: RegimeFits) -> str:
    """Return why a model cannot be fitted again from the stored data; empty if it can."""
    if record["kind"] not in closed_forms():
        return "rows 'training' need a fit on all perturbations, but every fit of this model leaves out one fold"
    if "net" in specs()[record["kind"]].needs and full.graphs() is None:
        return "rows 'training' need the gene network; pass net="
    tables = [str(name) for name in record.get("tables", [])]
    return f"rows 'training' need {tables}, but only the size of these tables is stored" if tables else ""


def _order(full: Screen, other: Screen) -> IntArray:
    """Return the positions of the names of the full screen in the other, which has the same rows."""
    position = {name: i for i, name in enumerate(other.names)}
    return np.array([position[name] for name in full.names], dtype=np.int64)
