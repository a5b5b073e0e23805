"""Read what is stored."""

from ._attribution import attribution_agreement, attribution_check
from ._cell_eval import cell_eval
from ._confounding import confounding
from ._coupling import coupling
from ._enrich import enrich
from ._left_out import models_left_out, regimes_left_out
from ._on_target import on_target
from ._perturbations import error_by_n_genes, perturbations, random_regimes, ranking
from ._recurrence import recurrence
from ._specificity import specificity
from ._tables import attributions, check, history, models, predictions, regimes, scores, summary
from ._variance_ratio import variance_ratio

__all__ = [
    "attribution_agreement",
    "attribution_check",
    "attributions",
    "cell_eval",
    "check",
    "confounding",
    "coupling",
    "enrich",
    "error_by_n_genes",
    "history",
    "models",
    "models_left_out",
    "on_target",
    "perturbations",
    "predictions",
    "random_regimes",
    "ranking",
    "recurrence",
    "regimes",
    "regimes_left_out",
    "scores",
    "specificity",
    "summary",
    "variance_ratio",
]
