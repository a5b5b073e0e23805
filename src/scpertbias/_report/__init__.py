"""The report of an audit: one page, one JSON file, and tables."""

from .compare_page import compare
from .content import schema, to_json
from .page import report
from .screen_card import data_card

__all__ = ["compare", "data_card", "report", "schema", "to_json"]
