"""Plots."""

from ._attribution_agreement import attribution_agreement
from ._balance import balance
from ._calibration import calibration
from ._comparison import comparison
from ._composition import composition
from ._confounding import confounding
from ._effect_size import effect_size
from ._embedding import embedding
from ._enrich import enrich
from ._error_by_n_genes import error_by_n_genes
from ._heatmap import heatmap
from ._map import map
from ._metric import metric
from ._perturbation import perturbation
from ._perturbations import perturbations
from ._power import power
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
    "comparison",
    "composition",
    "confounding",
    "effect_size",
    "embedding",
    "enrich",
    "error_by_n_genes",
    "heatmap",
    "l2",
    "map",
    "perturbation",
    "metric",
    "perturbations",
    "probes",
    "power",
    "recurrence",
    "retraining",
    "score",
    "specificity",
    "target_response",
    "top_genes",
    "variance_ratio",
]
