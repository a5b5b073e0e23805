"""Scores by user-defined functions, with baseline, ceiling, null distribution and interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from anndata import AnnData

from .. import _results, _store, _tables, _validate
from .._core.any_metric import PER, MetricFunction
from .._core.de import DE_METRICS, DE_SCORES
from .._core.metric_estimate import MetricEstimate, MetricJudge
from .._core.mismatch import permutations
from .._core.resampling import TOO_FEW
from .._docs import docs
from .._log import added
from .._models._base import CONSTANT
from ._compared import Inputs, predicts_one_constant, read_inputs
from ._metric_inputs import metric_inputs

BEST = ("higher", "lower")


@docs.dedent
def metric(
    adata: AnnData,
    function: Callable[..., Any] | str,
    *,
    name: str,
    best: Literal["higher", "lower"] = "higher",
    uses_control: bool = True,
    per: Literal["perturbation", "screen"] = "perturbation",
    models: str | Sequence[str] | None = None,
    n_perm: int = 100,
    n_boot: int = 1000,
    rng: int | np.random.Generator | None = 0,
    copy: bool = False,
) -> AnnData | None:
    """Score models with a function of your own, and compute baseline, noise ceiling, specific gain and interval.

    Held-out perturbations are scored over the 1,000 genes with the highest mean in control. The specific gain shows
    whether predictions score better on their own perturbation than on other perturbations.

    Parameters
    ----------
    %(adata)s
    function
        Called as ``function(predicted, observed, control)``. Either it accepts two arrays (perturbations × genes) and
        the control (genes), and returns one value per perturbation. Or it accepts three vectors over genes, and returns
        one number. The argument can also be the name of a score of differential expression of
        :func:`scpertbias.tl.score`: ``"de_direction"``, ``"de_auprc"``, ``"de_spearman"`` or ``"de_nmae"``. For these
        scores, ``best``, ``uses_control`` and ``per`` are set automatically.
    name
        Name of the metric; earlier rows with this name are replaced.
    best
        Whether ``"higher"`` or ``"lower"`` values are better.
    uses_control
        Whether the function uses the control. If so, predicted effects are relative to one half of the control cells,
        and observed effects to the other half. Otherwise, noise of the same control would count as agreement.
    per
        ``"perturbation"``, or ``"screen"`` for a function that returns one number for all perturbations together.
    %(models)s
    n_perm
        Number of permutations of predictions among perturbations, from which ``p`` is computed.
    n_boot
        Number of resamples for the interval; 0: no interval.
    %(rng)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following field:

    %(field_metric)s

    Raises
    ------
    KeyError
        If a model is not stored.
    ValueError
        If an argument is unknown, no perturbation is held out, or the function does not return numbers.

    Notes
    -----
    To compute the ceiling, the function scores a constructed perfect prediction (*matched truth*). As predictions, it
    gets the observed effects, shrunk to their estimated size without noise. As observations, it gets the same shrunk
    effects plus errors as large as the sampling noise of the data.

    The interval accounts for the sampling of perturbations and of control cells. For this purpose, each resample of the
    perturbations also uses one of 100 simulated samples of the control cells.

    For a function that compares perturbations with each other, such as a rank, the baseline is one common mean for all
    perturbations.

    Examples
    --------
    >>> import numpy as np
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.split(adata, fractions=(0.5, 0.0, 0.5))
    >>> profiles = spb.pp.profiles(adata, batch_key="bio_rep")
    >>> spb.tl.fit_mean(profiles)
    >>> spb.tl.fit_no_change(profiles)
    >>> def worst_gene(predicted, observed, control):
    ...     return np.abs(predicted - observed).max()
    >>> spb.tl.metric(profiles, worst_gene, name="worst_gene", best="lower", uses_control=False, n_boot=100)
    >>> table = spb.get.metric(profiles).set_index("model")
    >>> (
    ...     bool(table.loc["mean", "scaled"] == 0),
    ...     bool(table.loc["no_change", "ceiling"] < table.loc["no_change", "score"]),
    ... )
    (True, True)
    """
    _validate.choice(best, BEST, argument="best")
    _validate.choice(per, PER, argument="per")
    if isinstance(function, str):
        _validate.choice(function, DE_SCORES, argument="function")
        best, uses_control, per = ("higher" if DE_METRICS[function].higher_is_better else "lower"), True, "perturbation"
    inputs = read_inputs(adata, models, need_models=True)
    table = metric_table(
        inputs,
        function,
        name=name,
        records=_results.model_records(adata, models),
        best=best,
        uses_control=uses_control,
        per=per,
        n_perm=n_perm,
        n_boot=n_boot,
        rng=rng,
    )
    if _store.has_table(adata, "metric"):
        before = _tables.read(adata, "metric")
        table = pd.concat([before[before["metric"] != name], table], ignore_index=True)
    adata = adata.copy() if copy else adata
    _store.put(adata, metric=table)
    added("'metric', one row per model and function (adata.uns['scpertbias'])")
    return adata if copy else None


def metric_table(
    inputs: Inputs,
    function: Callable[..., Any] | str,
    *,
    name: str,
    records: Mapping[str, Mapping[str, Any]],
    best: str = BEST[0],
    uses_control: bool = True,
    per: str = PER[0],
    n_perm: int = 100,
    n_boot: int = 1000,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """Return the rows of one function; ``records`` are those of the models."""
    shares, held = (of(records, inputs.screen) for of in (_results.control_weights, _results.noise_weights))
    seed = int(np.random.default_rng(rng).integers(2**63))
    called = None if isinstance(function, str) else MetricFunction(function, per=per)
    judges: dict[object, MetricJudge] = {}
    rows = []
    for model, table in inputs.predictions.items():
        test = inputs.one_split.get(model)
        folds = None if model in inputs.one_split else inputs.folds
        held_out = metric_inputs(inputs.screen, table, name=model, folds=folds, test=test)
        if held_out is None:
            continue
        if held_out.key not in judges:
            judges[held_out.key] = MetricJudge(
                function=called or held_out.de_function(inputs.screen, str(function)),
                data=held_out.data,
                higher_is_better=best == BEST[0],
                uses_control=uses_control,
                known=held_out.known,
                permuted=permutations(held_out.groups, n_perm, np.random.default_rng(seed)),
                n_boot=n_boot,
                seed=seed,
            )
        predicted = table[held_out.rows][:, held_out.genes]
        constant = predicts_one_constant(model, predicted, held_out.fit, inputs.constant)
        prediction = held_out.prediction(table, held[model])
        estimate = judges[held_out.key].judge(prediction, held_out.shared(shares.get(model)), constant=constant)
        n_rows = len(held_out.rows)
        rows.append({"model": model, "metric": name, **_row(estimate, n_rows, constant=constant)})
    return pd.DataFrame(rows, columns=_tables.columns("metric"))


def _row(estimate: MetricEstimate, n_rows: int, *, constant: bool) -> dict[str, object]:
    few = f"only {estimate.n} perturbations: no interval, no ranking" if estimate.reason == TOO_FEW else estimate.reason
    missing = (
        f"the function returns NaN for {n_rows - estimate.n} of {n_rows} perturbations" if estimate.n < n_rows else ""
    )
    return {
        "n": estimate.n,
        "score": estimate.score,
        "baseline": estimate.baseline,
        "ceiling": estimate.ceiling,
        "replicate": estimate.replicate,
        "scaled": estimate.scaled,
        "ci_low": estimate.low,
        "ci_high": estimate.high,
        "specific_gain": estimate.gain,
        "p": estimate.p,
        "note": "; ".join(part for part in (CONSTANT if constant else "", missing, few) if part),
    }
