"""Cells or profiles to moments: where every fit and every question starts."""

from .._core.moments import Moments
from .cells import cell_codes
from .moments_of import control_mean, of, symbols
from .screen import Screen

__all__ = ["Moments", "Screen", "cell_codes", "control_mean", "of", "symbols"]
