"""Files that others made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
        yield
    except Exception as err:
        msg = f"{path} cannot be read; it may be cut short or of another kind ({one_line(err)})"
        raise ValueError(msg) from err
