"""What a file holds, looked at without reading its values: shape, scale, columns, labels, a command line."""

from .inspect import inspect
from .text import as_text

__all__ = ["as_text", "inspect"]
