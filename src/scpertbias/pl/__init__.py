"""Figures."""

from ._attribution_agreement import attribution
from ._confounding import confounding
from ._enrich import enrichment
from ._error_by_n_genes import error_by_n_genes
from ._perturbations import perturbations
from ._recurrence import recurrence
from ._retraining import regimes
from ._score import l2, score
from ._specificity import specificity
from ._target_response import on_target
from ._top_genes import top_genes
from ._variance_ratio import variance_ratio

__all__ = [
    "attribution",
    "confounding",
    "enrichment",
    "error_by_n_genes",
    "l2",
    "on_target",
    "perturbations",
    "recurrence",
    "regimes",
    "score",
    "specificity",
    "top_genes",
    "variance_ratio",
]
