"""The report of an audit: one page, one JSON file, and tables."""

from .content import schema, to_json
from .page import report

__all__ = ["report", "schema", "to_json"]
