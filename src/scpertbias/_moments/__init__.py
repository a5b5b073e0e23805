"""Moments of cells or profiles, the input of all fits and statistics."""

from .moments_of import control_mean, of
from .screen import Screen
from .used_cells import Selection, cell_codes, read_labels, select, warn_batches

__all__ = ["Screen", "Selection", "cell_codes", "control_mean", "of", "read_labels", "select", "warn_batches"]
