"""The directive ``measured``: rows of a table of measurements, read when the page is built, so that none goes stale."""

import csv
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective


class Measured(SphinxDirective):
    """Show the rows of a CSV file whose first column is one of the lines of the directive."""

    option_spec = {"file": directives.unchanged_required}
    has_content = True

    def run(self):
        """Return the table."""
        path = Path(self.env.srcdir) / self.options["file"]
        self.env.note_dependency(str(path))
        with path.open(encoding="utf-8", newline="") as file:
            head, *rows = csv.reader(file)
        names = [line.strip() for line in self.content if line.strip()]
        missing = set(names) - {row[0] for row in rows}
        if missing:
            message = f"{path.name} has no row {sorted(missing)}"
            raise self.error(message)
        table = [head, *(row for row in rows if row[0] in names)]
        lines = ["| " + " | ".join(row) + " |" for row in table]
        lines.insert(1, "|" + "---|" * len(head))
        node = nodes.container()
        self.state.nested_parse(StringList(lines, "measured"), 0, node)
        return node.children


def setup(app):
    """Add the directive."""
    app.add_directive("measured", Measured)
    return {"parallel_read_safe": True}
