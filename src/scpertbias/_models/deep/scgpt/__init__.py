"""scGPT, trained from cells."""

from .fit import fit_scgpt

__all__ = ["fit_scgpt"]
