"""One file a model; importing this registers them all."""

from . import additive, bilinear, control, grn_linear, mean, ridge, two_stage
from .deep import gears, scgpt

__all__ = ["additive", "bilinear", "control", "gears", "grn_linear", "mean", "ridge", "scgpt", "two_stage"]
