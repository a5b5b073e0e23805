"""Inspection of a file without reading all values: shape, scale, columns, labels, and a command line."""

from .inspect import inspect
from .text import as_text

__all__ = ["as_text", "inspect"]
