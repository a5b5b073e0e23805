"""Moments of cells or profiles, the input of all fits and statistics."""

from .moments_of import control_mean, of
from .screen import Screen
from .used_cells import cell_codes, read_labels

__all__ = ["Screen", "cell_codes", "control_mean", "of", "read_labels"]
