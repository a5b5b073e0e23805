"""One file per model; importing this registers them all."""

from . import additive, bilinear, grn_linear, mean, no_change, ridge, two_stage
from .deep import gears, scgpt

__all__ = ["additive", "bilinear", "gears", "grn_linear", "mean", "no_change", "ridge", "scgpt", "two_stage"]
