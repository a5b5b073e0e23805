"""Read what is stored."""

from ._tables import attributions, check, models, predictions, regimes, scores, summary

__all__ = ["attributions", "check", "models", "predictions", "regimes", "scores", "summary"]
