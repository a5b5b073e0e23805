"""The section "Returns" as it is written: each result with its type, as a list of definitions.

Without this, napoleon writes names that are code in double backticks into the page.
"""

from sphinx.ext.napoleon import NumpyDocstring


def _parse_returns_section(self, section):
    lines = self._dedent(self._consume_to_next_section())
    # A list of definitions cannot begin on the line of the field's name.
    return [":returns:", *self._indent(lines, 4), ""] if any(lines) else []


def setup(app):
    """Replace how napoleon reads the section."""
    NumpyDocstring._parse_returns_section = _parse_returns_section
    return {"parallel_read_safe": True}
