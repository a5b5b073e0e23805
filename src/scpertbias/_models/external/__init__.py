"""Predictions of other models: read, matched to the screen, taken to its scale, stored."""
