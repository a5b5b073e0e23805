"""Figures."""

from ._score import l2, score

__all__ = ["l2", "score"]
