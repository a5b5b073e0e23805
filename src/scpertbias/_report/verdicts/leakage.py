"""Models that predict better than the noise of the held-out cells allows, so that leakage must be excluded first."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from .base import BASELINE, MIN_HELD_OUT, judged_rows

ABOVE, CORRELATION, COPIED = "above_ceiling", "correlation_above_ceiling", "observed_means"
EVIDENCE = (COPIED, ABOVE, CORRELATION)
"""What shows it, in the order in which it is looked for; the codes of the cautions."""
SKILLS = {
    "l2_skill": ABOVE,
    "pearson_delta_perturbed_skill": CORRELATION,
    "pearson_delta_unshared_skill": CORRELATION,
}
"""Skills whose ceiling a perfect prediction does not exceed. Others have a ceiling that can be too low: the true effects
exceed that of ``pearson_delta_perturbed_unshared`` in up to a quarter of screens, and DE scores depend on few genes."""
COPY = 0.1
"""Predictions whose error is below this part of the noise ceiling repeat the observed mean: its noise is unpredictable."""
COLUMNS = ["model", "evidence", "n", "n_effective", "estimate", "ci_low", "ci_high", "n_copied"]


def too_good(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one row per model that predicts the noise of the held-out cells, with the first evidence.

    Observed means contain noise, and the score of honest predictions is limited by the noise. A model is returned if the
    whole interval of a skill is above the noise ceiling, or if predictions equal observed means.
    """
    summary = tables["summary"]
    own = summary[(summary["subset"] == "all") & (summary["regime"] == "full") & (summary["model"] != BASELINE)]
    rows = [_copies(tables["scores"], own)]
    for metric, evidence in SKILLS.items():
        of_metric = judged_rows(own[own["metric"] == metric], "estimate")
        rows.append(of_metric[of_metric["ci_low"] > 1].assign(evidence=evidence, n_copied=0))
    # In the order of EVIDENCE: the copies, then by metric
    table = pd.concat([r[COLUMNS] for r in rows if len(r)] or [pd.DataFrame(columns=COLUMNS)])
    return table.drop_duplicates("model").reset_index(drop=True)


def _copies(scores: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return the models that predict observed means, with the number of these perturbations."""
    of_full = (scores["regime"] == "full") & (scores["trained_on"] == "full") & (scores["split"] == "test")
    own = scores[of_full & (scores["l2"] < COPY * scores["l2_ceiling"])]
    n_copied = own.groupby("model", sort=False)["perturbation"].nunique()
    rows = summary[(summary["metric"] == "l2_skill") & summary["model"].isin(n_copied.index)]
    rows = rows[rows["n"] >= MIN_HELD_OUT]
    return rows.assign(evidence=COPIED, n_copied=rows["model"].map(n_copied))
