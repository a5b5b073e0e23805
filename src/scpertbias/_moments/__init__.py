"""Cells or profiles to moments: where every fit and every question starts."""

from .cells import cell_codes, read_labels
from .moments_of import control_mean, of
from .screen import Screen

__all__ = ["Screen", "cell_codes", "control_mean", "of", "read_labels"]
