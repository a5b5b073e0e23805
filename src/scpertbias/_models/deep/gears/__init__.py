"""GEARS, trained from cells."""

from .fit import fit_gears

__all__ = ["fit_gears"]
