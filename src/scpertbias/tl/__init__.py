"""Models and tests."""

from .._models.additive import fit_additive
from .._models.bilinear import fit_bilinear
from .._models.deep.gears.fit import fit_gears
from .._models.deep.scgpt.fit import fit_scgpt
from .._models.external.add_predictions import add_predictions
from .._models.grn_linear import fit_grn_linear
from .._models.mean import fit_mean
from .._models.no_change import fit_no_change
from .._models.ridge import fit_ridge
from .._models.two_stage import fit_two_stage
from ._attribution_agreement import attribution_agreement
from ._attribution_check import attribution_check
from ._audit.audit import audit
from ._balance import balance
from ._calibrate import calibrate
from ._confounding import confounding
from ._coupling import coupling
from ._enrich import enrich
from ._external_model import external_model
from ._metric import metric
from ._power import power
from ._probes import probes
from ._recurrence import recurrence
from ._score import score
from ._show_models import show_models
from ._specificity import specificity
from ._target_response import target_response
from ._variance_ratio import variance_ratio

__all__ = [
    "add_predictions",
    "attribution_agreement",
    "attribution_check",
    "audit",
    "balance",
    "calibrate",
    "confounding",
    "coupling",
    "enrich",
    "external_model",
    "fit_additive",
    "fit_bilinear",
    "fit_no_change",
    "fit_gears",
    "fit_grn_linear",
    "fit_mean",
    "fit_ridge",
    "fit_scgpt",
    "fit_two_stage",
    "metric",
    "probes",
    "power",
    "target_response",
    "recurrence",
    "score",
    "show_models",
    "specificity",
    "variance_ratio",
]
