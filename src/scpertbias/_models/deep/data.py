"""Cells for training: selection, split and control partners, as dense batches.

In models trained on cells, a batch is a minibatch. What the rest of the package calls a batch (``batch_key``) is a
stratum here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from ... import _genes, _keys, _moments, _store, _validate
from ..._core.arrays import BoolArray, Float32Array, IntArray
from ..._core.sums import column_sums
from ..._moments import Screen
from .._base import Problem, problem

FEWER = (
    "Use fewer cells or genes (spb.pp.select_genes), or increase this limit: predictions of this model are stored per "
    "cell."
)


@dataclass(frozen=True)
class TrainingCells:
    """Cells for training a model.

    ``x`` (n, G) is CSR or dense, as in the input; ``code`` (n,) the perturbation of each cell (0: control; −1: not
    used), ``split`` (n,) the index of train, val or test, ``stratum`` (n,) its stratum. ``order`` are the used cells,
    in an order that depends on their names only. ``offset`` (strata, G) is the control mean of each stratum minus that
    of all (None with one stratum). ``screen`` and ``problem`` are the moments.
    """

    x: Any
    code: IntArray
    split: IntArray
    stratum: IntArray
    order: IntArray
    offset: Float32Array | None
    screen: Screen
    problem: Problem
    fingerprint: Mapping[str, str]

    @property
    def used(self) -> BoolArray:
        """Which perturbations have used cells, including the control."""
        return np.bincount(self.code[self.order], minlength=len(self.screen.names)) > 0

    def of(self, split: str) -> IntArray:
        """Return the cells of a split, control cells among the training cells."""
        return self.order[self.split[self.order] == _keys.SPLITS.index(split)]

    def dense(self, cells: IntArray) -> Float32Array:
        """Return the values of some cells, as stored."""
        rows = self.x[cells]
        return np.asarray(rows.toarray() if sparse.issparse(rows) else rows, dtype=np.float32)

    def centered(self, cells: IntArray) -> Float32Array:
        """Return the values of some cells, minus the control mean of their stratum, plus that of all control cells."""
        values = self.dense(cells)
        if self.offset is None:
            return values
        return np.subtract(values, self.offset[self.stratum[cells]], out=values)

    def expressed(self) -> BoolArray:
        """Perturbations × genes: whether any training or validation cell has a value other than zero."""
        not_test = self.order[self.split[self.order] < _keys.SPLITS.index("test")]
        has_value = np.zeros((len(self.screen.names), self.x.shape[1]), dtype=bool)
        for code, cells in pd.Series(not_test).groupby(self.code[not_test]):
            rows = self.x[cells.to_numpy()]
            if sparse.issparse(rows):
                has_value[int(code), rows.indices[rows.data != 0]] = True
            else:
                has_value[int(code)] = (rows != 0).any(axis=0)
        return has_value

    def partners(self, rng: np.random.Generator) -> IntArray:
        """Draw a control cell of the same stratum for every cell; a control cell is its own partner."""
        partner = np.arange(len(self.code))
        perturbed, control = (self.order[(self.code[self.order] == 0) == is_control] for is_control in (False, True))
        for s in np.unique(self.stratum[perturbed]):
            cells, pool = perturbed[self.stratum[perturbed] == s], control[self.stratum[control] == s]
            partner[cells] = pool[rng.integers(len(pool), size=len(cells))]
        return partner


def read(adata: AnnData, data: Mapping[str, Any], *, function: str) -> TrainingCells:
    """Read cells; profiles are refused, because the model is trained on cells."""
    _validate.cells_or_profiles(adata)
    if _store.profiles_record(adata) is not None:
        msg = (
            f"{function} is trained on cells, but these are profiles. Call it with the cells, and add its predictions "
            f"with spb.tl.add_predictions(profiles, spb.get.predictions(cells, …), key_added=…)."
        )
        raise ValueError(msg)
    _validate.memory(adata, instead=FEWER)
    _genes.refuse_others(adata)
    screen = _moments.of(adata, **data)
    means = problem(screen, screen.split == "train", val=screen.split == "val")
    usable = np.zeros(len(screen.names) + 1, dtype=bool)  # the last is for the code −1
    usable[screen.perturbation[screen.used]] = True
    code = np.where(usable[screen.codes], screen.codes, -1)
    split = np.zeros(adata.n_obs, dtype=np.int64)
    if data["split_key"] in adata.obs.columns:
        split = np.where(code == 0, 0, _validate.split_codes(adata, data["split_key"]))
    stratum, names = _validate.batch_codes(adata, data["batch_key"])
    x = _store.matrix(adata, data["layer"])
    x = x.tocsr() if sparse.issparse(x) else x
    by_name = np.argsort(pd.util.hash_array(adata.obs_names.to_numpy(object), categorize=False), kind="stable")
    order = by_name[code[by_name] >= 0]
    label = np.array(screen.names, dtype=object)[code[order]]
    return TrainingCells(
        x=x,
        code=code,
        split=split,
        stratum=stratum,
        order=order,
        offset=_offsets(x, np.where(code == 0, stratum, -1)) if len(names) > 1 else None,
        screen=screen,
        problem=means,
        fingerprint={
            "genes": digest(adata.var_names),
            "split": digest(adata.obs_names[order], label, split[order].astype(str)),
            # Rounded, because sums depend on the order of cells in their last digits.
            "values": hashlib.sha256((np.round(means.means, 4) + 0.0).tobytes()).hexdigest(),
        },
    )


def _offsets(x: Any, stratum: IntArray) -> Float32Array:
    """Return the mean of each stratum minus that of all; 0 for strata that are not used."""
    control = column_sums(x[stratum >= 0]) / (stratum >= 0).sum()
    offsets = np.zeros((int(stratum.max()) + 1, x.shape[1]), dtype=np.float32)
    for s in np.unique(stratum[stratum >= 0]):
        offsets[s] = column_sums(x[stratum == s]) / (stratum == s).sum() - control
    return offsets


def digest(*columns: Iterable[Any]) -> str:
    """Hash columns of text."""
    sha = hashlib.sha256()
    for row in zip(*columns, strict=True):
        sha.update(("\x1f".join(map(str, row)) + "\x1e").encode())
    return sha.hexdigest()
