"""The answer first: five questions, each with a verdict, and what must be known before one believes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..ds import confounder_sets
from ._cautions import cautions
from ._confounded import confounded
from ._leaning import leaning
from ._recurring import recurring
from ._say import Answer, Sentence
from ._scorecard import scorecard
from ._trusted import collapsed, correlation, trusted
from ._worked import worked


def answer(tables: Mapping[str, pd.DataFrame], unseen: Mapping[str, str]) -> dict[str, Any]:
    """Return the ``answer`` (questions), the ``scorecard`` of the models, ``cautions``, and ``remarks`` by section.

    ``tables`` are the stored tables by name (one that was not made is empty), ``unseen`` what the record of
    each model notes on unseen perturbations. No sentence rests on anything else.
    """
    card = scorecard(tables, unseen)
    asked: list[Answer | None] = [
        worked(tables),
        confounded(tables),
        trusted(tables, card),
        leaning(tables),
        recurring(tables, confounder_sets()),
    ]
    remarks: dict[str, list[Sentence]] = {
        "scores": correlation(tables["summary"]),
        "specificity": collapsed(tables["variance_ratio"]),
    }
    return {
        "answer": [one for one in asked if one is not None],
        "scorecard": card,
        "cautions": cautions(tables, card),
        "remarks": remarks,
    }
