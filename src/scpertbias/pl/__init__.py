"""Figures."""

from ._attribution_agreement import attribution_agreement
from ._balance import balance
from ._calibration import calibration
from ._confounding import confounding
from ._enrich import enrich
from ._error_by_n_genes import error_by_n_genes
from ._metric import metric
from ._perturbations import perturbations
from ._probes import probes
from ._recurrence import recurrence
from ._retraining import retraining
from ._score import l2, score
from ._specificity import specificity
from ._target_response import target_response
from ._top_genes import top_genes
from ._variance_ratio import variance_ratio

__all__ = [
    "attribution_agreement",
    "balance",
    "calibration",
    "confounding",
    "enrich",
    "error_by_n_genes",
    "l2",
    "metric",
    "target_response",
    "perturbations",
    "probes",
    "recurrence",
    "retraining",
    "score",
    "specificity",
    "top_genes",
    "variance_ratio",
]
