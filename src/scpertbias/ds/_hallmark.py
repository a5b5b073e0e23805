"""Hallmark gene sets, and files in GMT format."""

from __future__ import annotations

import gzip
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import pandas as pd

from .._files import reading
from ._sets import of_species

PREFIX = "HALLMARK_"
ACRONYMS = frozenset({"AKT", "DNA", "JAK", "KRAS", "MTOR", "MYC", "NFKB", "TGF", "TNFA", "UV", "WNT"})


def hallmark(species: str = "human") -> pd.DataFrame:
    """Return the Hallmark gene sets of MSigDB, which are part of the package.

    Parameters
    ----------
    species
        ``"human"`` or ``"mouse"``; mouse symbols are the human symbols in mouse spelling, as in
        :func:`scpertbias.ds.confounder_sets`.

    Returns
    -------
    A table with one row per gene and set (50 sets): `source` (the set) and `target` (the gene symbol).

    Raises
    ------
    ValueError
        If ``species`` is unknown.

    References
    ----------
    Liberzon et al., Cell Systems 2015. MSigDB is licensed CC BY 4.0.

    Examples
    --------
    >>> import scpertbias as spb
    >>> sets = spb.ds.hallmark()
    >>> sets["source"].nunique()
    50
    """
    return of_species(_bundled(), species)


def plain_name(name: str) -> str:
    """Return the name of a Hallmark set in plain words, such as "Hallmark TNFA signaling via NFKB"."""
    words = name.removeprefix(PREFIX).replace("_DN", "_down").replace("P53", "p53").split("_")
    return " ".join(["Hallmark", *(w if w in ACRONYMS or any(map(str.isdigit, w)) else w.lower() for w in words)])


@cache
def _bundled() -> pd.DataFrame:
    with as_file(files(__package__) / "data" / "hallmark.gmt") as path:
        return read_gmt(path)


def read_gmt(path: str | Path) -> pd.DataFrame:
    """Read gene sets from a GMT file (tab-separated: set, description, genes), also if compressed with gzip.

    Names of sets can contain blanks; a gene listed twice in a set counts once.
    """
    path = Path(path)
    with reading(path):
        return _parse(path)


def _parse(path: Path) -> pd.DataFrame:
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = []
    for number, line in enumerate(content.decode("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        name, *rest = (field.strip() for field in line.split("\t"))
        if not name or len(rest) < 2:
            msg = f"line {number}: the name of a set, a description and genes, separated by tabs, are needed."
            raise ValueError(msg)
        rows += [(name, gene) for gene in dict.fromkeys(rest[1:]) if gene]
    if not rows:
        msg = "the file contains no gene set"
        raise ValueError(msg)
    return pd.DataFrame(rows, columns=["source", "target"]).drop_duplicates(ignore_index=True)
