"""The section "Returns" as it is written: each result with its type, as a list of definitions.

Without this, napoleon writes names that are code in double backticks into the page.
"""

from sphinx.ext.napoleon import NumpyDocstring


def _parse_returns_section(self, section):
    lines = self._dedent(self._consume_to_next_section())
    if lines[:1] == [":"]:  # sphinx_autodoc_typehints marks the first line as not a type
        lines = self._dedent(lines[1:])
    if not any(lines):
        return []
    first, rest = lines[0], lines[1:]
    # A field cannot begin with a definition: a type with its description below becomes two paragraphs.
    if rest and rest[0].startswith(" "):
        rest = ["", *self._dedent(rest)]
    return [f":returns: {first}", *self._indent(rest, 4), ""]


def setup(app):
    """Replace how napoleon reads the section."""
    NumpyDocstring._parse_returns_section = _parse_returns_section
    return {"parallel_read_safe": True}
