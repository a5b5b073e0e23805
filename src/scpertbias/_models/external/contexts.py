"""Selection of predictions for the cell line, dose or time of the data, if there are predictions for several."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from anndata import AnnData

from ..._columns import BATCH, role
from ..._core.arrays import BoolArray
from ..._log import info, some

CONTEXT = re.compile(
    r"(cell[_ .]?(line|type)s?|celltypes?|tissue|organ|organism|species|genotype|sex|donor([_ .]?id)?|"
    r"patient([_ .]?id)?|individual|time([_ .]?points?)?|day|hours?|dose([_ .]?(val|value))?|dosage|concentration|treatment|"
    r"stimulation|stimulus|cytokine|condition|dataset|study|context|covariate)",
    re.IGNORECASE,
)
MAX_LEVELS = 50


def rows_of_one_context(predicted: AnnData, labels: Sequence[str], known: BoolArray, data: AnnData) -> BoolArray:
    """Return which predicted rows have the context (cell line, dose, time) of the data; raise an error if it is unknown.

    ``known`` are the rows with a label of the data. A column contains contexts if its name says so, or if every label has
    one row for each of several levels.
    """
    keep = np.ones(predicted.n_obs, dtype=bool)
    text = pd.Series(list(labels), dtype=object)
    for column in predicted.obs.columns:
        values = predicted.obs[column].astype(object)
        values = values.where(values.notna(), "").astype(str).reset_index(drop=True)
        rows = known & keep
        levels = sorted(set(values[rows]))
        if not 1 < len(levels) <= MAX_LEVELS or values.equals(text) or not _crosses(values[rows], text[rows], column):
            continue
        own = set(data.obs[column].dropna().astype(str)) if column in data.obs.columns else set()
        shared = own & set(levels)
        if len(shared) == 1 and len(own) == 1:
            (level,) = shared
            keep &= (values == level).to_numpy()
            info(f"only the predictions for {column} {level!r} are used, because the data have no other level")
        elif len(shared) < 2 or own != set(levels):
            msg = (
                "`predictions` has several rows for the same perturbation, one for each level of the column "
                f"{column!r} ({some(levels)}). The data do not show which level applies, and a mean over levels "
                "predicts none of them. Pass the rows of one level: "
                f"predictions[predictions.obs[{str(column)!r}].astype(str) == {levels[0]!r}]."
            )
            raise ValueError(msg)
    return keep


def _crosses(values: pd.Series, labels: pd.Series, column: str) -> bool:
    """Whether a label has rows on several levels, in a column that is named like a context or has one row for each."""
    pairs = pd.DataFrame({"label": labels, "level": values})
    if not (pairs.groupby("label")["level"].nunique() > 1).any():
        return False
    if CONTEXT.fullmatch(str(column)):
        return True
    one_row_each = not pairs.duplicated().any() and pairs["level"].nunique() < pairs["label"].nunique()
    return one_row_each and role(str(column)) != BATCH
