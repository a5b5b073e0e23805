"""Files and objects that are looked at: sizes, tables column by column, a sample of each matrix; no anndata import."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import _keys
from .._files import reading

FORMATS = (".h5ad", ".zarr", ".h5mu", ".h5")
N_BLOCKS, BLOCK = 10, 40
"""Number of sampled blocks of rows of a matrix, and rows per block."""
TEXT_ROWS = 1_000_000
"""For longer text columns that are not categorical, only the first rows are read."""


@dataclass(frozen=True)
class Matrix:
    """A matrix: its form, type, and some of its rows (sample × genes)."""

    form: str
    dtype: str
    rows: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Source:
    """What is looked at: ``obs`` and ``var`` by column, matrices by name (``X``, ``layers/counts``), read when asked for."""

    kind: str
    n_obs: int
    n_vars: int
    var_names: Callable[[], pd.Index]
    obs: Mapping[str, Callable[[], pd.Series]]
    var: Mapping[str, Callable[[], pd.Series]]
    matrices: Mapping[str, Callable[[], Matrix]]
    modality: str = ""
    others: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Other modalities, with their cells and features."""
    slots: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Entries of ``obsm`` with their shapes."""
    made_here: bool = False
    """Whether these are profiles or an audit of this package."""


@contextmanager
def opened(path: Path, modality: str | None = None) -> Iterator[Source]:
    """Open a file within the context."""
    if path.suffix not in FORMATS:
        msg = f"{path.name} must end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}."
        raise ValueError(msg)
    with reading(path):
        if path.suffix == ".zarr":
            import zarr

            file: Any = zarr.open_group(path, mode="r")
        else:
            file = h5py.File(path)
    try:
        if path.suffix == ".h5" and "matrix" in file:
            yield _tenx(file["matrix"])
        elif "mod" in file:
            yield _of_mudata(file, modality)
        else:
            with reading(path):
                source = _of_group(file, path.suffix[1:])
            yield source
    finally:
        if path.suffix != ".zarr":
            file.close()


def _of_group(group: Any, kind: str, **more: Any) -> Source:
    """Return the contents of an AnnData in a file."""
    obs, var = (group[name] for name in ("obs", "var"))
    matrices = {name: group[name] for name in ("X",) if name in group}
    matrices |= {f"layers/{name}": group["layers"][name] for name in group.get("layers", {})}
    n_obs, n_vars = _n_rows(obs), _n_rows(var)
    return Source(
        kind=kind,
        n_obs=n_obs,
        n_vars=n_vars,
        var_names=lambda: pd.Index(_column(var, _index_name(var)).astype(str)),
        obs=_columns(obs),
        var=_columns(var),
        matrices={name: _reader(values, n_obs) for name, values in matrices.items()},
        slots={name: tuple(_shape(group["obsm"][name])) for name in group.get("obsm", {})},
        made_here=f"uns/{_keys.ROOT}/{_keys.PROFILES}" in group,
        **more,
    )


def _of_mudata(file: Any, modality: str | None) -> Source:
    """Return the modality with the genes, by its name or its width, with the columns of the others' obs."""
    chosen = modality_of(file, modality)
    sizes = {
        name: (_n_rows(file["mod"][name]["obs"]), _n_rows(file["mod"][name]["var"])) for name in sorted(file["mod"])
    }
    others = {name: size for name, size in sizes.items() if name != chosen}
    return _of_group(file["mod"][chosen], "h5mu", modality=chosen, others=others)


def modality_of(file: Any, modality: str | None) -> str:
    """Return the modality with the genes in a MuData file: the requested one, otherwise by its name or size."""
    names = sorted(file["mod"]) if "mod" in file else []
    if not names or (modality is not None and modality not in names):
        msg = f"the file has no modality {modality!r}; choose from {names}" if names else "the file has no modality"
        raise ValueError(msg)
    known = [name for name in ("rna", "gex", "RNA", "gene", "expression") if name in names]
    return modality or (known[0] if known else max(names, key=lambda name: _n_rows(file["mod"][name]["var"])))


def _tenx(group: Any) -> Source:
    """Return the contents of a matrix of Cell Ranger: no labels, but the types of its features."""
    features = group["features"] if "features" in group else {"name": group["gene_names"], "id": group["genes"]}
    names = {key: features[key] for key in ("name", "id", "feature_type") if key in features}
    shape = [int(n) for n in group["shape"][()]]
    return Source(
        kind="10x h5",
        n_obs=shape[1],
        n_vars=shape[0],
        var_names=lambda: pd.Index(_text(names["name"])),
        obs={},
        var={
            {"id": "gene_ids", "feature_type": "feature_types"}.get(key, key): _lazy(values)
            for key, values in names.items()
        },
        matrices={"X": lambda: _rows_of_csr(group, shape[1], shape[0])},
    )


def _lazy(values: Any) -> Callable[[], pd.Series]:
    return lambda: pd.Series(_text(values))


def of_anndata(adata: Any) -> Source:
    """Return the contents of an AnnData in memory or backed by a file."""
    obs, var = (t if isinstance(t, pd.DataFrame) else t.to_memory() for t in (adata.obs, adata.var))
    from .. import _store

    matrices = {"X": adata.X} if adata.X is not None else {}
    matrices |= {f"layers/{name}": _store.matrix(adata, name) for name in _store.layer_names(adata)}
    return Source(
        kind="AnnData",
        n_obs=adata.n_obs,
        n_vars=adata.n_vars,
        var_names=lambda: var.index.astype(str),
        obs={str(c): partial(obs.__getitem__, c) for c in obs.columns},
        var={str(c): partial(var.__getitem__, c) for c in var.columns},
        matrices={name: partial(_of_array, x, adata.n_obs) for name, x in matrices.items()},
        made_here=_store.profiles_record(adata) is not None,
    )


# --- tables ---


def _n_rows(table: Any) -> int:
    if hasattr(table, "dtype"):
        return int(table.shape[0])
    return int(_shape(table[_index_name(table)])[0])


def _index_name(table: Any) -> str:
    name = table.attrs.get("_index", "_index")
    return name.decode() if isinstance(name, bytes) else str(name)


def _columns(table: Any) -> dict[str, Callable[[], pd.Series]]:
    """Return the columns of a table by name, each read on demand."""
    if hasattr(table, "dtype"):  # as anndata wrote before 0.7
        return {name: partial(_series, table[name]) for name in (table.dtype.names or ())[1:]}
    order = [name.decode() if isinstance(name, bytes) else str(name) for name in table.attrs.get("column-order", table)]
    return {name: partial(_column, table, name) for name in order if name in table and name != "__categories"}


def _column(table: Any, name: str) -> pd.Series:
    """Return a column of a table, in any encoding."""
    item = table[name]
    if not hasattr(item, "dtype"):
        if "categories" in item:
            categories = _text(item["categories"]) if _is_text(item["categories"]) else item["categories"][()]
            return pd.Series(pd.Categorical.from_codes(item["codes"][()], pd.Index(categories)))
        values = item["values"]
        out = pd.Series(_text(values) if _is_text(values) else values[()]).astype(object)
        return out.where(~np.asarray(item["mask"][()], dtype=bool), None)
    old = table.get("__categories", {})
    if name in old:
        return pd.Series(pd.Categorical.from_codes(item[()], pd.Index(_text(old[name]))))
    return _series(item)


def _series(item: Any) -> pd.Series:
    if not _is_text(item):
        return pd.Series(item[()])
    return pd.Series(_text(item, TEXT_ROWS))


def _is_text(item: Any) -> bool:
    return item.dtype.kind in "OSUT"


def _text(item: Any, n: int | None = None) -> npt.NDArray[Any]:
    values = item[:n] if n is not None and item.shape[0] > n else item[()]
    return np.array([v.decode() if isinstance(v, bytes) else str(v) for v in np.asarray(values).tolist()], dtype=object)


# --- matrices ---


def _shape(item: Any) -> tuple[int, ...]:
    if hasattr(item, "shape") and item.shape:
        return tuple(item.shape)
    if "codes" in item:
        return tuple(item["codes"].shape)
    shape = item.attrs.get("shape", item.attrs.get("h5sparse_shape", ()))
    return tuple(int(n) for n in shape)


def _starts(n: int) -> list[int]:
    """Return where the sampled blocks of rows begin."""
    return sorted({int(start) for start in np.linspace(0, max(n - BLOCK, 0), N_BLOCKS)})


def _reader(item: Any, n: int) -> Callable[[], Matrix]:
    return lambda: _of_array(item, n) if hasattr(item, "dtype") else _of_sparse_group(item)


def _of_sparse_group(group: Any) -> Matrix:
    n_obs, n_vars = _shape(group)
    encoding = str(group.attrs.get("encoding-type", group.attrs.get("h5sparse_format", "csr")))
    if "csc" in encoding:
        # By genes: some genes of all cells; row sums cannot be had without reading all.
        return Matrix("CSC", str(group["data"].dtype), _first(group["data"])[:, None])
    return _rows_of_csr(group, n_obs, n_vars)


def _first(data: Any) -> npt.NDArray[np.float64]:
    return np.asarray(data[:100_000], dtype=np.float64)


def _rows_of_csr(group: Any, n_obs: int, n_vars: int) -> Matrix:
    rows = []
    for start in _starts(n_obs):
        bounds = np.asarray(group["indptr"][start : start + BLOCK + 1], dtype=np.int64)
        data, indices = group["data"][bounds[0] : bounds[-1]], group["indices"][bounds[0] : bounds[-1]]
        block = np.zeros((len(bounds) - 1, n_vars))
        row = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
        np.add.at(block, (row, np.asarray(indices)), np.asarray(data, dtype=np.float64))
        rows.append(block)
    return Matrix("CSR", str(group["data"].dtype), np.concatenate(rows) if rows else np.zeros((0, n_vars)))


def _of_array(x: Any, n: int) -> Matrix:
    """Sample an array in memory, backed by a file, or lazy."""
    form = {"csr": "CSR", "csc": "CSC"}.get(getattr(x, "format", ""), "dense")
    blocks = [x[start : start + BLOCK] for start in _starts(n)]
    blocks = [block.compute() if hasattr(block, "compute") else block for block in blocks]
    dense = [np.asarray(b.toarray() if hasattr(b, "toarray") else b) for b in blocks]
    return Matrix(form, str(x.dtype), np.concatenate(dense).astype(np.float64) if dense else np.zeros((0, 0)))
