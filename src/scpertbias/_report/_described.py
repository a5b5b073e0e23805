"""What the models are, for a reader who has not met their names."""

from __future__ import annotations

import re

import pandas as pd

from ..tl import show_models

COLUMNS = ["model", "kind", "unseen", "reference", "n_cannot_predict"]
AXES = re.compile(r"genes axis: (?P<genes>.*); perturbations axis: (?P<perturbations>.*)")


def described(models: pd.DataFrame) -> pd.DataFrame:
    """Return one row a model of the full screen: what it predicts for a perturbation that it has not seen, and whose it is.

    Models of two axes are told apart by their names, as :func:`scpertbias.tl.audit` gives them.
    """
    if models.empty:
        return pd.DataFrame(columns=COLUMNS)
    known = show_models().set_index("model")
    full = models[models["regime"] == "full"]
    rows = [
        {
            "model": row["model"],
            "kind": row["kind"],
            "unseen": _unseen(str(row["model"]), str(known["unseen"].get(row["kind"], ""))),
            "reference": str(known["reference"].get(row["kind"], "")),
            "n_cannot_predict": row["n_cannot_predict"],
        }
        for _, row in full.iterrows()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _unseen(model: str, text: str) -> str:
    """Return what is said of the axis that a model smooths over."""
    axes = AXES.fullmatch(text)
    if axes is None:
        return text
    return axes["perturbations" if model.endswith("_perturbations") else "genes"]
