"""Read stored results."""

from ._attribution import attribution_agreement, attribution_check, enrich
from ._comparison import comparison
from ._composition import composition
from ._de import de
from ._metrics import calibration, metric, probes
from ._models import attributions, cell_eval, history, models, predictions
from ._power import cells_needed, power
from ._retraining import coupling, models_left_out, random_removals, ranking, regimes_left_out, retraining
from ._scores import error_by_n_genes, recurrence, scores, specificity, summary, variance_ratio
from ._screen import balance, check, confounding, labels, perturbations, target_response

__all__ = [
    "attribution_agreement",
    "attribution_check",
    "attributions",
    "balance",
    "cell_eval",
    "calibration",
    "cells_needed",
    "check",
    "comparison",
    "composition",
    "confounding",
    "coupling",
    "de",
    "enrich",
    "error_by_n_genes",
    "history",
    "labels",
    "metric",
    "models",
    "models_left_out",
    "target_response",
    "perturbations",
    "power",
    "predictions",
    "probes",
    "random_removals",
    "ranking",
    "recurrence",
    "regimes_left_out",
    "retraining",
    "scores",
    "specificity",
    "summary",
    "variance_ratio",
]
