"""The report of an audit: one page, one JSON file, and tables."""

from .compare_page import compare
from .content import schema, to_json
from .page import report

__all__ = ["compare", "report", "schema", "to_json"]
