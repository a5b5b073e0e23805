"""Models and questions."""

from .._models.additive import fit_additive
from .._models.bilinear import fit_bilinear
from .._models.control import fit_control
from .._models.external import add_predictions
from .._models.grn_linear import fit_grn_linear
from .._models.mean import fit_mean
from .._models.ridge import fit_ridge
from .._models.two_stage import fit_two_stage
from ._audit import audit
from ._score import score
from ._show_models import show_models

__all__ = [
    "add_predictions",
    "audit",
    "fit_additive",
    "fit_bilinear",
    "fit_control",
    "fit_grn_linear",
    "fit_mean",
    "fit_ridge",
    "fit_two_stage",
    "score",
    "show_models",
]
