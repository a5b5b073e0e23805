"""Files that others made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

HDF5 = (".h5ad", ".h5mu")


def one_line(err: object) -> str:
    """Return a message in one line; a KeyError's without its quotes, a bare word with the error's name."""
    text = " ".join(str(err.args[0] if isinstance(err, KeyError) and err.args else err).split())
    return text if " " in text or not isinstance(err, Exception) else f"{type(err).__name__}: {text}"


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say of a file that is missing, cut short or of another kind that it is so, whatever its reader stumbles over."""
    if not path.exists():
        msg = f"{path} does not exist"
        raise FileNotFoundError(msg)
    try:
        if path.suffix in HDF5 and path.is_file():
            _refuse_what_lies_elsewhere(path)
        yield
    except Exception as err:
        msg = f"{path} cannot be read; it may be cut short or of another kind ({one_line(err)})"
        raise ValueError(msg) from err


def _refuse_what_lies_elsewhere(path: Path) -> None:
    """Refuse HDF5 that has its values in other files: reading it would read whatever file it names."""
    with h5py.File(path) as file:
        for name in _elsewhere(file):
            msg = f"{name!r} lies in another file"
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
