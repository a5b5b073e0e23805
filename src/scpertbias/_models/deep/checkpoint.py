"""Checkpoints of a training: tensors and JSON, without executable code."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TENSORS, PLAIN = "state.pt", "state.json"


class Folder:
    """A folder of checkpoints.

    It contains one folder ``epoch_0007`` for the last epoch, with ``state.pt`` (tensors) and ``state.json``. Each is
    written under a temporary name and renamed, so that it is always complete. ``identity`` describes the training
    (genes, split, settings); continuing with another identity is refused.

    Parameters
    ----------
    path
        The folder; created if needed.
    identity
        Values that must be equal to continue.
    resume
        Whether to continue an earlier training. Otherwise a folder with a checkpoint is refused.
    """

    def __init__(self, path: str | os.PathLike[str], identity: Mapping[str, Any], *, resume: bool) -> None:
        self.path, self.identity = Path(path), json.loads(json.dumps(dict(identity)))
        if self.path.exists() and not self.path.is_dir():
            msg = f"`checkpoint_dir`: {str(path)!r} is a file; pass a folder."
            raise ValueError(msg)
        last = self.last()
        if last is not None and not resume:
            msg = (
                f"`checkpoint_dir`: {str(path)!r} contains a checkpoint of epoch {_epoch(last)}. Pass resume=True to "
                f"continue, or use another folder."
            )
            raise ValueError(msg)
        self.plain = None if last is None else self._read_plain(last)

    def last(self) -> Path | None:
        """Return the folder of the last epoch, if there is one."""
        return max(self.path.glob("epoch_*"), key=_epoch, default=None)

    def _read_plain(self, last: Path) -> dict[str, Any]:
        try:
            plain: dict[str, Any] = json.loads((last / PLAIN).read_text(encoding="utf-8"))
            saved_identity = dict(plain["identity"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ValueError(_unreadable(last)) from error
        differ = [
            key for key in {**self.identity, **saved_identity} if saved_identity.get(key) != self.identity.get(key)
        ]
        if differ:
            differences = "; ".join(
                f"{key}: {_short(saved_identity.get(key))} in the checkpoint, {_short(self.identity.get(key))} now"
                for key in differ
            )
            msg = (
                f"`resume`: the checkpoint in {str(self.path)!r} was made with other values of {', '.join(differ)} "
                f"({differences}). Use the same data and parameters, or another checkpoint_dir."
            )
            raise ValueError(msg)
        return plain

    def load(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return tensors and values of the last epoch, or None."""
        import torch

        last = self.last()
        if last is None or self.plain is None:
            return None
        try:
            tensors = torch.load(last / TENSORS, map_location="cpu", weights_only=True)
        except Exception as error:  # damaged files raise errors of zip, of pickle, of tensors
            raise ValueError(_unreadable(last)) from error
        return tensors, self.plain

    def save(self, epoch: int, tensors: Mapping[str, Any], plain: Mapping[str, Any]) -> None:
        """Replace the previous epoch."""
        import torch

        temporary, place = self.path / "writing", self.path / f"epoch_{epoch:04d}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        with (temporary / TENSORS).open("wb") as file:
            torch.save(dict(tensors), file)
            _flush(file)
        with (temporary / PLAIN).open("w", encoding="utf-8") as file:
            json.dump({"identity": self.identity, **plain}, file, allow_nan=False, indent=1)
            _flush(file)
        shutil.rmtree(place, ignore_errors=True)
        temporary.rename(place)
        for other in self.path.glob("epoch_*"):
            if other != place:
                shutil.rmtree(other)


def open_folder(path: str | os.PathLike[str] | None, identity: Mapping[str, Any], *, resume: bool) -> Folder | None:
    """Return the folder, checked before any work; None without checkpoints."""
    if path is not None:
        return Folder(path, identity, resume=resume)
    if resume:
        msg = "`resume=True` needs `checkpoint_dir`. Pass the folder of the earlier training."
        raise ValueError(msg)
    return None


def _epoch(folder: Path) -> int:
    number = folder.name.removeprefix("epoch_")
    return int(number) if number.isdigit() else -1


def _flush(file: Any) -> None:
    """Write the bytes to disk before the folder is renamed."""
    file.flush()
    os.fsync(file.fileno())


def _short(value: Any) -> str:
    text = str(value)
    return text[:12] + "…" if len(text) > 24 else text


def _unreadable(last: Path) -> str:
    return f"`checkpoint_dir`: {str(last)!r} cannot be read. Delete it to start a new training."
