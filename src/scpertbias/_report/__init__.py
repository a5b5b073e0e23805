"""The report of an audit: one page, one JSON file, and tables."""

from ._content import schema, to_json
from ._page import report

__all__ = ["report", "schema", "to_json"]
