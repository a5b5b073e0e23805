"""Profiles: an AnnData with the moments of a screen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from .. import _genes, _keys, _store, _validate
from .._core.arrays import FloatArray, IntArray
from .._core.moments import Moments
from .._core.z_scores import value_sums
from . import profile_columns
from .screen import Screen

TARGET_MEASURED = "target_measured"
_N_HALVES = ("obsm/n_half_1", "obsm/n_half_2")
_N_GUIDES = "obsm/n_guide_half"
_DEFAULTS = {
    "groupby": "perturbation",
    "reference": None,
    "combination_sep": None,
    "label_map": None,
    "batch_key": None,
    "min_cells": 20,
    "gene_symbols": None,
}


def write(screen: Screen, var: pd.DataFrame) -> AnnData:
    """Return an AnnData of profiles with the moments of a screen."""
    obs = _obs(screen)
    profiles = AnnData(X=screen.moments.mean, obs=obs, var=var.copy())
    counts = dict(zip(_N_HALVES, screen.moments.counts, strict=True))
    _store.put_profile_slots(profiles, {**_slots(screen.moments, ""), **counts})
    encode = json.JSONEncoder(ensure_ascii=False).encode  # one for all: json.dumps would make one for each
    record = {
        **screen.record,
        "n_blocks": screen.moments.n_blocks,
        "target_names": list(screen.names),
        "target_genes": list(map(encode, screen.targets)),
        **profile_columns.record(screen.moments),
    }
    _store.put(profiles, **{_keys.PROFILES: record, _keys.LABELS: screen.labels})
    return profiles


def _obs(screen: Screen) -> pd.DataFrame:
    names = np.array(screen.names)[screen.perturbation]
    targets = [screen.targets[i] for i in screen.perturbation]
    index = (
        names
        if len(set(names)) == len(names)
        else np.array([f"{n}_{s}" for n, s in zip(names, screen.split, strict=True)])
    )
    return pd.DataFrame(
        {
            "perturbation": pd.Categorical(names),
            "split": pd.Categorical(screen.split),
            "n_cells": screen.moments.n.astype(np.int64),
            "is_reference": screen.perturbation == 0,
            "n_targets": [len(t) for t in targets],
            TARGET_MEASURED: _measured(targets, screen.symbols),
            "used": screen.used,
            "reason": pd.Categorical(screen.reason),
        },
        index=pd.Index(index, dtype=object),
    )


def _measured(targets: Sequence[tuple[str, ...]], symbols: npt.NDArray[np.str_]) -> list[bool]:
    """Return for each row whether it has targets, and all of them are measured."""
    measured = set(symbols.tolist())
    return [bool(t) and measured.issuperset(t) for t in targets]


def target_measured(profiles: AnnData) -> tuple[str, list[bool]]:
    """Return the column ``target_measured`` of ``obs`` for the present genes."""
    record = _store.profiles_record(profiles) or {}
    _, targets, perturbation = _names(profiles, record)
    symbols, _ = _validate.gene_symbols(profiles, record.get("gene_symbols"))
    return TARGET_MEASURED, _measured([targets[p] for p in perturbation], symbols)


def write_layer(profiles: AnnData, key: str, moments: Moments, record: Mapping[str, Any]) -> None:
    """Store transformed moments next to the original ones: the layer ``key`` and its halves, variances and blocks."""
    _store.put_layer(profiles, key, moments.mean, record)
    _store.put_profile_slots(profiles, _slots(replace(moments, covariates=None, levels=None), f"{key}_"))


def _slots(moments: Moments, prefix: str) -> dict[str, FloatArray]:
    slots = {
        f"layers/{prefix}half_1": moments.half[0],
        f"layers/{prefix}half_2": moments.half[1],
        f"layers/{prefix}{_keys.VAR}": moments.var,
        f"varm/{prefix}{_keys.CONTROL_BLOCKS}": moments.blocks.T,
        f"varm/{prefix}{_keys.CONTROL_HALVES[0]}": moments.control_half[0].T,
        f"varm/{prefix}{_keys.CONTROL_HALVES[1]}": moments.control_half[1].T,
        f"varm/{prefix}{_keys.CONTROL_VAR}": moments.control_var.T,
    }
    if moments.guide_half is not None and moments.n_guide_half is not None:
        slots |= {
            f"layers/{prefix}{name}": half for name, half in zip(_keys.GUIDE_HALVES, moments.guide_half, strict=True)
        }
        slots[_N_GUIDES] = moments.n_guide_half.T
    return slots | profile_columns.slots(moments, prefix)


def read(adata: AnnData, data: Mapping[str, Any], *, layer: str | None) -> Screen:
    """Return the moments in profiles."""
    record = _store.profiles_record(adata) or {}
    _agree(record, data)
    names, targets, perturbation = _names(adata, record)
    prefix = _prefix(adata, record, layer)
    reference = int(np.flatnonzero(perturbation == 0)[0])
    moments = _read_moments(adata, record, layer, prefix, reference)
    if prefix:  # How many cells carry a gene is known of the values that the profiles were made of.
        moments = replace(moments, value_sums=value_sums(_read_moments(adata, record, None, "", reference)))
    split_key, split = _split(adata, record, str(data["split_key"]), perturbation)
    symbols, _ = _validate.gene_symbols(adata, record.get("gene_symbols"))
    reason = adata.obs["reason"].astype(object).to_numpy(str)
    return Screen(
        moments=moments,
        names=names,
        targets=targets,
        perturbation=perturbation,
        split=split,
        genes=adata.var_names,
        symbols=_genes.one_each(symbols, adata.var_names, moments.control),
        used=adata.obs["used"].to_numpy(bool) & (split != ""),
        reason=np.where((split == "") & (reason == ""), "no split", reason),
        codes=perturbation,
        labels=_store.table(adata, _keys.LABELS, made_by="") if _store.has_table(adata, _keys.LABELS) else None,
        record={**record, "layer": layer if prefix else record.get("layer"), "split_key": split_key},
    )


def _read_moments(adata: AnnData, record: Mapping[str, Any], layer: str | None, prefix: str, reference: int) -> Moments:
    """Return the moments of the slots of one prefix."""
    mean = _store.matrix(adata, None if prefix == "" else layer)
    half = _store.profile_stack(adata, [f"layers/{prefix}{name}" for name in _keys.HALVES])
    slots = [f"layers/{prefix}{_keys.VAR}"]
    slots += [f"varm/{prefix}{name}" for name in (_keys.CONTROL_BLOCKS, *_keys.CONTROL_HALVES, _keys.CONTROL_VAR)]
    arrays = [array for slot in (*slots, *_N_HALVES) if (array := _store.profile_slot(adata, slot)) is not None]
    if half is None or len(arrays) < len(slots) + len(_N_HALVES):
        msg = "These profiles are incomplete (halves, variances, control or counts are missing). Compute them again with spb.pp.profiles."
        raise ValueError(msg)
    var, blocks, control_1, control_2, control_var, n_half_1, n_half_2 = arrays
    n_guides = _store.profile_slot(adata, _N_GUIDES)
    return Moments(
        guide_half=_store.profile_stack(adata, [f"layers/{prefix}{name}" for name in _keys.GUIDE_HALVES]),
        n_guide_half=None if n_guides is None else n_guides.T,
        counts=np.stack([n_half_1, n_half_2]),
        mean=np.asarray(mean, dtype=np.float64),
        var=var,
        half=half,
        control_half=np.stack([control_1.T, control_2.T]),
        control_var=control_var.T,
        blocks=blocks.T,
        n_blocks=np.asarray(record["n_blocks"], dtype=np.float64),
        reference=reference,
        covariates=profile_columns.covariates(adata, record) if prefix == "" else None,
        levels=profile_columns.levels(adata, record) if prefix == "" else None,
        quality=profile_columns.quality(adata, record, prefix),
    )


def _split(
    adata: AnnData, record: Mapping[str, Any], split_key: str, perturbation: IntArray
) -> tuple[str, npt.NDArray[np.str_]]:
    """Return the column of the splits, and the split of each row ("": none); the control is train."""
    if split_key not in adata.obs and split_key not in {"split", record.get("split_key")}:
        msg = f"`split_key`: obs of these profiles has no column {split_key!r}; call spb.pp.split, or pass split_key='split'."
        raise KeyError(msg)
    key = split_key if split_key in adata.obs else "split"
    return key, np.array([*_keys.SPLITS, ""])[np.where(perturbation == 0, 0, _validate.split_codes(adata, key))]


def _names(adata: AnnData, record: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], IntArray]:
    labels = adata.obs["perturbation"].astype(str).to_numpy(str)
    reference = str(record["reference_name"])
    if reference not in labels:
        msg = f"The control {reference!r} is missing in these profiles. Keep its row when you select perturbations."
        raise ValueError(msg)
    if (n := int((labels == reference).sum())) > 1:
        msg = (
            f"These profiles contain the control {reference!r} {n} times, as after ad.concat of profiles. Concatenate the "
            "cells instead, and call spb.pp.profiles on them."
        )
        raise ValueError(msg)
    names = (reference, *sorted(set(labels.tolist()) - {reference}))
    n_targets = dict(zip(labels.tolist(), adata.obs["n_targets"].tolist(), strict=True))
    of_name = dict(zip(record["target_names"], map(json.loads, record["target_genes"]), strict=True))
    targets = tuple(() if n_targets[n] == 0 else tuple(of_name.get(n, [n])) for n in names)
    position = {name: i for i, name in enumerate(names)}
    return names, targets, np.array([position[label] for label in labels.tolist()], dtype=np.int64)


def _prefix(adata: AnnData, record: Mapping[str, Any], layer: str | None) -> str:
    """Prefix of the slots of ``layer``; empty for the values from which the profiles were computed."""
    if layer is None or layer == record.get("layer"):
        return ""
    if _store.layer_record(adata, layer) is None:
        msg = (
            f"These profiles were made from layer {record.get('layer')!r}. They have no layer {layer!r} made by "
            "spb.pp.standardize or spb.pp.regress_mt_ribo."
        )
        raise ValueError(msg)
    return f"{layer}_"


def _agree(record: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Raise an error if an argument differs from the setting with which the profiles were made."""
    for name, default in _DEFAULTS.items():
        value = data[name]
        if value is None or value == default:
            continue
        stored = record.get(name)
        stored = np.asarray(stored).tolist() if isinstance(stored, np.ndarray | list) else stored
        patterns, names = _texts(value), _texts(stored)
        if name == "reference":
            names.add(str(record["reference_name"]))
            agrees = all(any(n == pattern or fnmatchcase(n, pattern) for n in names) for pattern in patterns)
        else:
            agrees = patterns == names
        if not agrees:
            msg = (
                f"`{name}={value!r}`, but these profiles were made with {name}={stored!r}; call spb.pp.profiles again."
            )
            raise ValueError(msg)


def _texts(value: Any) -> set[str]:
    return set(map(str, value)) if isinstance(value, list | tuple | set | np.ndarray | pd.Index) else {str(value)}
