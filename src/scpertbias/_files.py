"""Files of others read safely; own files and folders written whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import h5py
import pandas as pd

from ._keys import RANDOM, REGIMES
from ._log import some

HDF5 = (".h5ad", ".h5mu")
SEPARATORS = {".csv": ",", ".csv.gz": ",", ".tsv": "\t", ".tsv.gz": "\t", ".txt": "\t"}


def one_line(err: object) -> str:
    """Return a message in one line; a KeyError's without its quotes, a bare word with the error's name."""
    text = " ".join(str(err.args[0] if isinstance(err, KeyError) and err.args else err).split())
    return text if " " in text or not isinstance(err, Exception) else f"{type(err).__name__}: {text}"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Replace any error of a reader by a message that the file is missing, incomplete or of another type."""
    if not path.exists():
        msg = f"{path} does not exist"
        raise FileNotFoundError(msg)
    try:
        if path.suffix in HDF5 and path.is_file():
            _refuse_what_lies_elsewhere(path)
        yield
    except Exception as err:
        msg = f"{path} cannot be read; the file may be incomplete or of another type ({one_line(err)})"
        raise ValueError(msg) from err


def _refuse_what_lies_elsewhere(path: Path) -> None:
    """Refuse HDF5 that has its values in other files: reading it would read other files."""
    with h5py.File(path) as file:
        for name in _elsewhere(file):
            msg = f"{name!r} is stored in another file"
            raise ValueError(msg)


def _elsewhere(group: h5py.Group) -> Iterator[str]:
    for name in group:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            yield f"{group.name}/{name}"
        elif isinstance(link, h5py.HardLink):
            item = group[name]
            if isinstance(item, h5py.Group):
                yield from _elsewhere(item)
            elif isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
                yield str(item.name)


def read_predicted(path: Path) -> pd.DataFrame:
    """Read a table of predictions, CSV or TSV, whose first column names the perturbations and whose others are genes."""
    from . import _compat  # which imports mudata: a look at a file needs none

    separator = next((sep for suffix, sep in SEPARATORS.items() if path.name.lower().endswith(suffix)), ",")
    with reading(path):
        header = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str).iloc[0, 1:]
        table = pd.read_csv(path, sep=separator, index_col=0, **_compat.EXACT_CSV)
    repeats = sorted(set(header[header.duplicated()].dropna()))  # pandas would number them without a message
    if repeats:
        msg = (
            f"Gene names repeat in {path.name} ({some(repeats)}), so the columns are ambiguous. Keep "
            f"one column per gene."
        )
        raise ValueError(msg)
    return table


CARD = ("DATACARD.md", "datacard.json")
BESIDE_CELLS = ("SHA256SUMS", "perturbations_to_predict.csv", "splits.csv", "gene_sets.csv")
"""Files of an export, except the cells of each regime and its card."""
FILES = ("audit.html", "audit.json", "audit.h5mu", "config.toml")
TABLES = "tables"


def replace_file(path: Path, text: str) -> None:
    """Write a text file under a temporary name, then move it to its place."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Return a temporary name; the file moves to ``path`` when it is written, and is removed if that fails."""
    temporary = _temporary_name(path)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def objection(folder: Path, *, force: bool, of: str = "audit") -> str | None:
    """Return the reason why a folder must not be written, or None. Only files of an audit (or export) are replaced."""
    if not folder.exists():
        return None
    if not folder.is_dir():
        return f"{folder} is a file; pass a folder"
    held = sorted(folder.iterdir())
    if not held:
        return None
    if not force:
        return f"{folder} is not empty; choose another folder, or pass --force to replace an earlier {of}"
    foreign = [p.name for p in held if not (_is_ours(p) if of == "audit" else _is_exported(p))]
    return (
        f"{folder} contains files that do not belong to an {of} ({', '.join(foreign[:3])}); choose another folder"
        if foreign
        else None
    )


def _is_exported(path: Path) -> bool:
    regime = path.name.removesuffix(".h5ad")
    ours = regime in REGIMES or regime.startswith(f"{RANDOM}_")
    return path.is_file() and ((path.suffix == ".h5ad" and ours) or path.name in (*CARD, *BESIDE_CELLS))


def _is_ours(path: Path) -> bool:
    if path.name == TABLES and path.is_dir():
        return all(p.is_file() and p.suffix == ".csv" for p in path.iterdir())
    return path.is_file() and path.name in FILES


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Return a temporary folder; it moves to ``folder`` when the work is done, and is removed if that fails.

    An earlier folder is moved aside for the moment of the change, and back if that fails. A process that is killed between
    the two moves leaves it whole in the parent folder, with a name that ends in ``.earlier``.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = _temporary_name(folder)
    earlier = new.with_name(f"{new.name}.earlier")
    new.mkdir()
    try:
        yield new
        if folder.exists():
            folder.replace(earlier)
        new.replace(folder)
    finally:
        if earlier.exists() and not folder.exists():  # Ctrl-C between the two moves must not delete the earlier audit
            earlier.replace(folder)
        try:
            _remove(new)
        finally:
            _remove(earlier)


def _remove(folder: Path) -> None:
    """Remove a folder; Ctrl-C stops the program only after the removal."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _temporary_name(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid4().hex[:8]}")
