"""Predictions of other models: read, matched to the screen, brought to its scale, stored."""
