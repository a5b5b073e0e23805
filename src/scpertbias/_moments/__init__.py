"""Cells or profiles to moments: where every fit and every question starts."""

from .cells import cell_codes
from .moments_of import control_mean, of, symbols
from .screen import Screen

__all__ = ["Screen", "cell_codes", "control_mean", "of", "symbols"]
