"""How often a verdict is given where there is nothing: on screens without effects, made of the control cells."""

from __future__ import annotations

import pandas as pd

from ...tl._calibration_questions import PARTLY, YES
from ..wording.calibration import calibrated
from . import base


def calibration_sentence(table: pd.DataFrame, verdict: base.Verdict) -> str | None:
    """Return how often a verdict, or a stronger one, is given without effects; None unless it is yes or partly."""
    counted = {base.YES: YES, base.PARTLY: PARTLY}.get(verdict.verdict)
    table = table[table["by"] == "cells"]
    rows = table[(table["question"] == verdict.name) & (table["metric"] == counted)]
    if counted is None or rows.empty or not rows["n"].iloc[0]:
        return None
    row = rows.iloc[0]
    return calibrated(row["rate"], row["ci_low"], row["ci_high"], int(row["n"]), or_stronger=counted == PARTLY)
