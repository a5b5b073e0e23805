"""Training, validation and test sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from anndata import AnnData

from .. import _keys, _moments, _store, _validate
from .._core.arrays import BoolArray, FloatArray
from .._docs import docs
from .._labels import LabelMap, Labels, announce
from .._log import added

UNITS = ("perturbation", "cell", "combination")


@docs.dedent
def split(
    adata: AnnData,
    *,
    unit: str = "perturbation",
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    n_folds: int | None = None,
    test: Sequence[str] | None = None,
    val: Sequence[str] | None = None,
    groupby: str = "perturbation",
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    min_cells: int = 20,
    gene_symbols: str | None = None,
    key_added: str = "split",
    rng: int | np.random.Generator | None = 0,
    copy: bool = False,
) -> AnnData | None:
    """Split whole perturbations (by target gene), cells, or combinations into training, validation and test sets.

    Parameters
    ----------
    %(adata)s
    unit
        ``"perturbation"``: all cells of a target are in one part, so that test perturbations are unseen. ``"cell"``:
        cells of each perturbation are assigned to all parts (test perturbations are *seen*). ``"combination"``: single
        perturbations are ``train``, and combinations are assigned at random.
    fractions
        Proportions of ``train``, ``val`` and ``test``; each part with a positive proportion gets at least one
        perturbation.
    n_folds
        If given, perturbations are also divided into this number of folds.
    test, val
        Lists of the test and the validation perturbations, if a split already exists. Write their labels as in ``obs``,
        or combinations as ``A+B``. All other perturbations are ``train``.
    %(groupby)s
    %(reference)s
    min_cells
        Perturbations with fewer cells are not scored, so they are ``train``, unless ``test`` or ``val`` contains them.
    %(gene_symbols)s
    %(key_added)s
    %(rng)s
    %(copy)s

    Returns
    -------
    %(stored)s Sets the following fields:

    ``adata.obs['split' | key_added]`` : :class:`pandas.Series` (dtype ``category``)
        ``train``, ``val`` or ``test``; control cells are ``train``, and cells without a label have no split.
    ``adata.obs['split_fold' | key_added + '_fold']`` : :class:`pandas.Series` (dtype ``int``)
        If ``n_folds`` is given: fold of the perturbation of each cell. The value is −1 for control cells, cells without
        a label, and perturbations with fewer than ``min_cells`` cells.

    Raises
    ------
    ValueError
        If there are too few perturbations, a perturbation in ``test`` or ``val`` does not exist, fractions do not add
        up to 1, or ``key_added`` is a column of ``obs`` that is not a split.

    Examples
    --------
    >>> import scpertbias as spb
    >>> adata = spb.ds.papalexi_2021()
    >>> spb.pp.split(adata)
    >>> adata.obs.groupby("split", observed=True)["perturbation"].nunique().to_dict()
    {'train': 22, 'val': 2, 'test': 2}
    """
    _validate.cells_or_profiles(adata, lazy=True)  # the values are not read
    _validate.choice(unit, UNITS, argument="unit")
    _check_key(adata, key_added, n_folds)
    shares = _fractions(fractions)
    generator = np.random.default_rng(rng)
    data: dict[str, Any] = {
        "groupby": groupby,
        "reference": reference,
        "combination_sep": combination_sep,
        "label_map": label_map,
        "min_cells": min_cells,
        "gene_symbols": gene_symbols,
    }
    labels, enough, raw = _read_profiles(adata, **data) if is_profiles(adata) else _read_cells(adata, **data)
    if unit == "cell":
        values = _random_cell_parts(
            adata, labels, enough, shares, generator, lists_passed=test is not None or val is not None
        )
    else:
        if test is not None or val is not None:
            of_name = _listed_parts(labels, raw, test, val)
        else:
            of_name = _random_parts(labels, enough, shares, unit, generator)
        values = np.where(labels.codes >= 0, of_name[np.maximum(labels.codes, 0)], "")
    of_code = None
    if n_folds is not None:
        same_targets = first_of_targets(labels.names, labels.targets)
        fold = folds(
            [name for name, ok in zip(labels.names, enough, strict=True) if ok], same_targets, n_folds, rng=rng
        )
        of_code = np.array([fold.get(name, -1) for name in labels.names])
    adata = adata.copy() if copy else adata
    _store.put_obs(adata, key_added, _categories(values))
    slots = [f"{key_added!r} (adata.obs)"]
    if of_code is not None:
        _store.put_obs(
            adata, f"{key_added}_fold", np.where(labels.codes >= 0, of_code[np.maximum(labels.codes, 0)], -1)
        )
        slots.append(f"'{key_added}_fold' (adata.obs)")
    added(*slots)
    return adata if copy else None


def first_of_targets(names: Sequence[str], targets: Sequence[tuple[str, ...]]) -> dict[str, str]:
    """Return for each name the first with the same targets, so that guides of a gene are held out together."""
    first: dict[tuple[str, ...], str] = {}
    return {name: first.setdefault(genes or (name,), name) for name, genes in zip(names, targets, strict=True)}


def folds(
    names: Sequence[str], same_targets: Mapping[str, str], n_folds: int, *, rng: int | np.random.Generator | None = 0
) -> dict[str, int]:
    """Permute targets once and divide them into blocks: every perturbation is held out in exactly one fold."""
    groups = sorted({same_targets[name] for name in names})
    if not 2 <= n_folds <= len(groups):
        msg = f"`n_folds` is {n_folds}; with {len(groups)} perturbations it must be between 2 and {len(groups)}."
        raise ValueError(msg)
    order = np.random.default_rng(rng).permutation(groups)
    fold = {str(group): r for r, block in enumerate(np.array_split(order, n_folds)) for group in block}
    return {name: fold[same_targets[name]] for name in names}


def _fractions(fractions: Sequence[float]) -> FloatArray:
    shares = np.asarray(fractions, dtype=np.float64)
    if shares.shape != (3,) or (shares < 0).any() or not np.isclose(shares.sum(), 1) or shares[0] == 0:
        msg = f"`fractions` is {tuple(fractions)}; pass three shares (train, val, test) that add up to 1, with train above 0."
        raise ValueError(msg)
    return shares


def _check_key(adata: AnnData, key: str, n_folds: int | None) -> None:
    """Raise an error for a name that cannot be stored, or a column that is not a split."""
    _store.check_name(key)
    held = set(adata.obs[key].dropna().astype(str)) - set(_keys.SPLITS) if key in adata.obs.columns else set()
    fold = f"{key}_fold"
    foreign = n_folds is not None and fold in adata.obs.columns and not pd.api.types.is_integer_dtype(adata.obs[fold])
    if held or foreign:
        msg = f"`key_added={key!r}` names a column of obs that is not a split; choose another name."
        raise ValueError(msg)


def _categories(values: npt.NDArray[np.str_]) -> pd.Categorical:
    present = [part for part in _keys.SPLITS if (values == part).any()]
    text = values.astype(object)
    text[values == ""] = None
    return pd.Categorical(text, categories=present)


def is_profiles(adata: AnnData) -> bool:
    """Whether the rows are profiles."""
    return _store.profiles_record(adata) is not None


def _read_profiles(adata: AnnData, **data: Any) -> tuple[Labels, BoolArray, dict[str, str]]:
    """Return the labels of profiles, and which have ``min_cells`` cells."""
    screen = _moments.of(adata, **data)
    labels = Labels(codes=screen.codes, names=screen.names, targets=screen.targets)
    enough = np.zeros(len(screen.names), dtype=bool)
    enough[screen.perturbation[screen.used]] = True
    enough[0] = False
    return labels, enough, {}


def _read_cells(adata: AnnData, *, min_cells: int, **data: Any) -> tuple[Labels, BoolArray, dict[str, str]]:
    """Return the labels of cells, which have ``min_cells`` cells, and the name of each label in ``obs``."""
    labels, _, _ = _moments.read_labels(adata, data)
    announce(labels, data["groupby"])
    enough = np.bincount(labels.codes[labels.codes >= 0], minlength=len(labels.names)) >= min_cells
    enough[0] = False
    live = labels.table[labels.table["targets"] != ""]
    return labels, enough, dict(zip(live["label"].astype(str), live["name"], strict=True))


def _listed_parts(
    labels: Labels, raw: Mapping[str, str], test: Sequence[str] | None, val: Sequence[str] | None
) -> npt.NDArray[np.str_]:
    """Return the part of each name by the given lists."""
    of_name = np.full(len(labels.names), "train", dtype="U5")
    position = {name: i for i, name in enumerate(labels.names) if i}
    chosen: dict[str, list[str]] = {}
    for part, listed in (("test", test), ("val", val)):
        names = [listed] if isinstance(listed, str) else [str(n) for n in (listed if listed is not None else ())]
        canonical = [raw.get(n, "+".join(sorted(set(n.split("+"))))) for n in names]
        unknown = [n for n, f in zip(names, canonical, strict=True) if f not in position]
        if unknown:
            msg = (
                f"`{part}`: {unknown[:5]} are not perturbations of obs. Perturbations of obs are, for "
                f"example, {list(labels.names[1:6])}."
            )
            raise ValueError(msg)
        chosen[part] = canonical
    both = sorted(set(chosen["test"]) & set(chosen["val"]))
    if both:
        msg = f"`test` and `val`: {both[:5]} are in both lists. Remove them from one list."
        raise ValueError(msg)
    for part, canonical in chosen.items():
        of_name[[position[n] for n in canonical]] = part
    return of_name


def _random_parts(
    labels: Labels,
    enough: BoolArray,
    shares: FloatArray,
    unit: str,
    rng: np.random.Generator,
) -> npt.NDArray[np.str_]:
    """Return a random part for each name; names are sorted, so that the order of cells does not matter."""
    of_name = np.full(len(labels.names), "train", dtype="U5")
    first = first_of_targets(labels.names, labels.targets)
    enough_of = [i for i in np.flatnonzero(enough) if unit != "combination" or len(labels.targets[i]) > 1]
    can = list({first[labels.names[i]]: i for i in reversed(enough_of)}.values())[::-1]
    nonempty = shares > 0
    if len(can) < nonempty.sum():
        msg = (
            f"The number of {'combinations' if unit == 'combination' else 'perturbations'} with min_cells cells is {len(can)}, "
            f"but {int(nonempty.sum())} are needed, one for each fraction above 0. Lower min_cells, or set a fraction to 0."
        )
        raise ValueError(msg)
    sizes = np.where(nonempty, np.maximum(np.round(shares * len(can)), 1), 0).astype(np.int64)
    sizes[0] = len(can) - sizes[1:].sum()
    while sizes[0] < 1:
        sizes[1 + int(np.argmax(sizes[1:]))] -= 1
        sizes[0] += 1
    order = rng.permutation(can)
    of_name[order[: sizes[2]]] = "test"
    of_name[order[sizes[2] : sizes[2] + sizes[1]]] = "val"
    part_of = {first[labels.names[i]]: of_name[i] for i in can}
    return np.array([part_of.get(first[name], "train") for name in labels.names])


def _random_cell_parts(
    adata: AnnData,
    labels: Labels,
    enough: BoolArray,
    shares: FloatArray,
    rng: np.random.Generator,
    *,
    lists_passed: bool,
) -> npt.NDArray[np.str_]:
    """Assign the cells of each perturbation to the parts, in the order of a hash of their names."""
    if lists_passed:
        msg = "`test` and `val` list perturbations. They need unit='perturbation' or unit='combination', not 'cell'."
        raise ValueError(msg)
    if is_profiles(adata):
        msg = "`unit='cell'` needs cells; profiles have none. Split the cells, then call spb.pp.profiles."
        raise ValueError(msg)
    key = f"split{rng.integers(10**11):011d}"
    hashes = pd.util.hash_array(adata.obs_names.to_numpy(object), hash_key=key, categorize=False)
    order = np.lexsort((hashes, labels.codes))
    codes = labels.codes[order]
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    size = np.diff(np.r_[starts, len(codes)])
    rank = (np.arange(len(codes)) - np.repeat(starts, size) + 0.5) / np.repeat(size, size)
    values = np.empty(len(codes), dtype="U5")
    values[order] = np.array(_keys.SPLITS)[np.searchsorted(np.cumsum(shares)[:2], rank, side="right")]
    values[(labels.codes >= 0) & ~enough[labels.codes]] = "train"
    values[labels.codes < 0] = ""
    return values
