"""One file a model; importing this registers them all."""

from . import additive, bilinear, control, grn_linear, mean, ridge, two_stage

__all__ = ["additive", "bilinear", "control", "grn_linear", "mean", "ridge", "two_stage"]
