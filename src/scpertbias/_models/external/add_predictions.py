"""External predictions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData

from ... import _genes, _moments, _store, _validate
from ..._core.arrays import FloatArray
from ..._docs import docs
from ..._labels import LabelMap, stored_map
from ..._log import added, info
from ..._results import BATCH_WEIGHTS, OTHER, THIS
from .._base import CONSTANT, model
from .._fit import DATA
from .matching import MatchedRows, by_perturbation, match_rows, perturbation_codes
from .readers import read, table_rows
from .scale import KINDS, ScreenMeans, check_control, check_scale


@model("external", unseen="the external prediction", attribution="the external attribution", citation="")
@docs.dedent
def add_predictions(
    adata: AnnData,
    predictions: pd.DataFrame | AnnData | Mapping[Any, Any] | str | os.PathLike[str],
    *,
    key_added: str,
    kind: str = "expression",
    control: str = "observed",
    fitted_on: str = "this",
    gene_names: Sequence[str] | None = None,
    obsm: str | None = None,
    test: Sequence[str] | None = None,
    attributions: pd.DataFrame | None = None,
    groupby: str = "perturbation",
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    batch_key: str | Sequence[str] | None = None,
    min_cells: int = 20,
    layer: str | None = None,
    split_key: str = "split",
    gene_symbols: str | None = None,
    copy: bool = False,
) -> AnnData | None:
    """Add the predictions of any other model, so that they are audited like the models of this package.

    Genes and perturbations are matched by name, never by position. Labels are interpreted like those of the cells, with
    the same ``combination_sep`` and ``label_map``: ``A_B``, ``B+A`` and ``A+ctrl`` are recognized. If the data have no
    negative values, an error is raised if predicted genes seem shuffled, or values seem to be on another scale.

    Parameters
    ----------
    %(adata)s
    predictions
        One of the following:

        - A table perturbations × genes, in the format of :func:`scpertbias.get.predictions`.
        - An AnnData of profiles or of predicted cells (STATE, cell-eval), which are averaged by label. Labels are read
          from the ``obs`` column ``groupby``, ``perturbation``, ``condition``, …, or from ``obs_names``. If ``obs`` has
          the columns of ``batch_key``, predicted cells are compared with the control of their own batches.
        - A path to such a table (``.csv``, ``.tsv``) or AnnData (``.h5ad``). Pickles are not read.
        - A dict from label to an array, over genes or over cells × genes (GEARS, scGPT).
        - The name of a layer or ``obsm`` of ``adata`` with a prediction for each row (CPA); rows are averaged by label.

    %(key_added)s
    kind
        ``"expression"``: log-normalized values, on the scale of the data. ``"delta"``: change from control, which is
        added to the control mean of the data. ``"log2fc"``: log2 fold change l, which is converted to
        ``log1p(expm1(c) * 2**l)``. Here c is the control mean of the data, in natural log1p units. This is an
        approximation, because c is a mean of logarithms, but a fold change is a ratio of means.
    control
        Control from which predicted changes are computed. ``"observed"``: the control of the data. ``"predicted"``: the
        control in the predictions. With ``"predicted"``, the predicted control is subtracted from each prediction, and
        the control mean of the data is added. This removes an offset that is common to all predictions. It does not
        correct a different base of the logarithm, or a different total count of the normalization. This argument does
        not select the control cells of the data: these are read from the profiles or stored models. If there are none,
        the control is inferred from common names.
    fitted_on
        ``"this"``: the model was trained on cells of this screen. ``"other"``: the model was trained on other data
        only, so that its predictions contain no noise of this screen. This argument changes scores that are corrected
        for the noise that predictions and data have in common, such as ``pearson_delta_unshared``.
    gene_names
        Names of the predicted genes in their order. Required if the columns have no names, or names that are numbers.
    obsm
        Slot of a predicted AnnData to read instead of its ``X``, such as ``"CPA_pred"``.
    test
        Perturbations that the model has not seen; by default those with ``test`` in ``split_key``.
    attributions
        Table genes × perturbations with the importance of each gene for the prediction of each perturbation.
    %(groupby)s
    combination_sep
        Separator in labels of combinations; by default the separator of the profiles or stored models.
    label_map
        Targets of the labels of cells and predictions; by default those of the profiles or stored models.
    %(batch_key)s
    %(min_cells)s
    %(layer)s
    %(split_key)s
    %(gene_symbols)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following fields:

    ``adata.layers[key_added]`` : :class:`numpy.ndarray`
        Predicted expression; every row is the prediction for its perturbation, or NaN if there is none. Rows of the control
        contain the predicted control if there is one, otherwise the control mean of the data.
    ``adata.varm[key_added]`` : :class:`numpy.ndarray` (dtype ``float32``)
        Attributions, genes × perturbations, if given.
    ``adata.uns['scpertbias']['models'][key_added]`` : :class:`dict`
        Source of the predictions, perturbations without a prediction, and the held-out perturbations (``test``).

    Raises
    ------
    ValueError
        If genes are missing, unnamed or shuffled, none of the predicted perturbations is in the data, values are on
        another scale than the data, or a file has an unknown type or is incomplete.
    KeyError
        If a column of ``obs`` or the slot ``obsm`` is missing.
    TypeError
        If ``predictions`` has none of the accepted forms.

    Examples
    --------
    >>> import scpertbias as spb
    >>> profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    >>> spb.tl.fit_mean(profiles)
    >>> table = spb.get.predictions(profiles, "mean")
    >>> spb.tl.add_predictions(profiles, table + 0.1, key_added="mine", control="predicted")
    >>> float((spb.get.predictions(profiles, "mine") - table).abs().max().max().round(9))
    0.0
    """
    _validate.choice(kind, KINDS, argument="kind")
    _check_control(control)
    _validate.choice(fitted_on, (THIS, OTHER), argument="fitted_on")
    _validate.cells_or_profiles(adata)
    _store.check_key(adata, key_added)
    _validate.memory(adata)
    _genes.refuse_others(adata)
    screen = _moments.of(
        adata,
        groupby=groupby,
        **_reading(adata, groupby, combination_sep=combination_sep, label_map=stored_map(label_map)),
        batch_key=batch_key,
        min_cells=min_cells,
        layer=layer,
        split_key=split_key,
        gene_symbols=gene_symbols,
    )
    rows = read(predictions, adata, screen, obsm=obsm)
    matched = match_rows(rows, screen, gene_names)
    signed = _store.layer_record(adata, screen.record.get("layer")) is not None or bool(screen.record.get("regressed"))
    values, weights = _checked(matched, screen, kind, control, are_integers=rows.are_integers, signed=signed)
    values = _expression(values, screen, kind=kind, control=control)
    importance = None if attributions is None else _attributions(attributions, screen)
    held_out = None if test is None else _held_out(test, screen)
    params = {"kind": kind, "control": control, "fitted_on": fitted_on, "source": rows.source}
    adata = adata.copy() if copy else adata
    _put(
        adata, key_added, screen, values=values, attributions=importance, test=held_out, params=params, weights=weights
    )
    return adata if copy else None


def _checked(
    matched: MatchedRows, screen: _moments.Screen, kind: str, control: str, *, are_integers: bool, signed: bool
) -> tuple[FloatArray, FloatArray | None]:
    """Check the scale of predictions; return them adjusted to the batches of the control, and the weights of their batches.

    The weights are None if predictions have no batches.
    """
    values, weights = matched.values, None
    reference = ScreenMeans(
        screen.moments.control, screen.merged.moments.mean[1:], screen.names[1:], float(screen.record["log_base"])
    )
    if kind == "expression" and matched.batches is not None:
        values = reference.control + values - _control_of_batches(*matched.batches, screen, control=control)
        weights = matched.batches[0] if control == "observed" else None
    allow_offset = control == "predicted"
    check_scale(values[1:], reference, kind, are_integers=are_integers, signed=signed, allow_offset=allow_offset)
    if kind == "expression" and not signed and not allow_offset and np.isfinite(values[0]).all():
        check_control(values[0], screen.moments.noise[screen.moments.reference], reference)
    return values, weights


def _check_control(control: str) -> None:
    if control not in ("observed", "predicted"):
        msg = (
            f"`control` is {control!r}; it must be 'observed' or 'predicted', the control to which predicted changes "
            "refer. To name the control cells of the data, first call spb.pp.profiles(adata, reference=…)."
        )
        raise ValueError(msg)


def _reading(adata: AnnData, groupby: str, **requested: str | None) -> dict[str, Any]:
    """Return the settings for labels: as requested, otherwise those of stored models of the same cells."""
    if _store.profiles_record(adata) is not None:
        return requested
    stored = (record.get("data", {}) for record in _store.models(adata).values())
    first: Mapping[str, Any] = next(
        (data for data in stored if data.get("groupby") == groupby and data.get("reference") is not None), {}
    )
    reference = first.get("reference")
    as_before = {key: first.get(key) if value is None else value for key, value in requested.items()}
    return {"reference": None if reference is None else [str(v) for v in reference], **as_before}


def _expression(values: FloatArray, screen: _moments.Screen, *, kind: str, control: str) -> FloatArray:
    """Return predicted expression; row 0 is the control."""
    mean = screen.moments.control
    if control == "predicted":
        if np.isnan(values[0]).any():
            msg = (
                f"`control='predicted'`, but the predictions do not contain the control ({screen.reference!r}, ctrl, …); "
                "pass control='observed'."
            )
            raise ValueError(msg)
        values = values - values[0]
        kind = "delta" if kind == "expression" else kind
    if kind == "delta":
        values = mean + values
    elif kind == "log2fc":
        unit = np.log(float(screen.record["log_base"]))  # of the data: ln 2 where they are log2
        values = np.log1p(np.expm1(mean * unit) * np.exp2(values)) / unit
    return np.vstack([mean if np.isnan(values[0]).any() else values[0], values[1:]])


def _control_of_batches(
    weights: FloatArray, predicted: FloatArray, screen: _moments.Screen, *, control: str
) -> FloatArray:
    """Return for each perturbation the control mean at the batches of its predicted cells (perturbations × genes)."""
    means = screen.moments.control_batch if control == "observed" else predicted
    missing = np.isnan(means).any(axis=1) & (weights > 0).any(axis=0)
    if missing.any():
        names = [str(name) for name in np.array(screen.record["batch_names"])[missing]]
        msg = (
            f"`control='predicted'`, but the predictions contain no control cells in batch {names}; pass "
            "control='observed'."
        )
        raise ValueError(msg)
    at_batches: FloatArray = weights @ np.nan_to_num(means)
    return at_batches


def _attributions(table: pd.DataFrame, screen: _moments.Screen) -> FloatArray:
    """Return genes × perturbations in the order of the data, NaN for perturbations without."""
    if not isinstance(table, pd.DataFrame):
        msg = f"`attributions` is a {type(table).__name__}; a DataFrame genes × perturbations is expected."
        raise TypeError(msg)
    return by_perturbation(table_rows(table.T, argument="attributions"), screen).T


def _held_out(test: Sequence[str], screen: _moments.Screen) -> list[str]:
    """Return the held-out perturbations by their names in the data."""
    labels = [test] if isinstance(test, str) else [str(label) for label in test]
    codes = perturbation_codes(labels, screen, argument="test")
    return [screen.names[code] for code in np.unique(codes[codes > 0])]


def _put(
    adata: AnnData,
    key: str,
    screen: _moments.Screen,
    *,
    values: FloatArray,
    attributions: FloatArray | None,
    test: list[str] | None,
    params: Mapping[str, str],
    weights: FloatArray | None,
) -> None:
    """Store predictions with the data that are needed to read and compare them."""
    predicted = np.isfinite(values).all(axis=1)
    cannot = [screen.names[i] for i in np.flatnonzero(~predicted)]
    unseen = values[predicted & np.isin(screen.names, screen.names[1:] if test is None else test)]
    constant = len(unseen) > 1 and bool((unseen == unseen[0]).all())
    record = {
        "kind": "external",
        "params": dict(params),
        "data": {**{k: screen.record.get(k) for k in DATA}, "reference_name": screen.reference},
        "perturbations": list(screen.names),
        "unpredicted": cannot,
        "constant": constant,
        "note": CONSTANT if constant else "",
        "cross_fitted": False,
        "test": test,
        BATCH_WEIGHTS: weights,
    }
    _store.put_model(adata, key, rows=screen.codes, predictions=values, attributions=attributions, record=record)
    if cannot:
        info(f"{key}: no prediction for {len(cannot)} perturbations, for example, {cannot[:3]}")
    slots = [f"{key!r}, predictions (adata.layers)"]
    if attributions is not None:
        slots.append(f"{key!r}, attributions, genes × perturbations (adata.varm)")
    added(*slots)
