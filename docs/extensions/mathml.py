"""Formulas as MathML, which browsers draw themselves: no script is loaded, so that pages also work without a network."""

from docutils import nodes
from docutils.utils.math import latex2mathml


def inline(self, node):
    """Write a formula within a line."""
    self.body.append(latex2mathml.tex2mathml(node.astext()))
    raise nodes.SkipNode


def block(self, node):
    """Write a formula of its own; a wide one scrolls."""
    self.body.append(f'<div class="formula">{latex2mathml.tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app):
    """Offer the renderer, and take it."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True}
