"""What a build must not leave behind: markup as text in a page, or a word that the search does not find."""

import re
from html.parser import HTMLParser
from pathlib import Path

MARKUP = re.compile(r"``|:[a-z:]+:`|\{[a-z:]+\}`")
SEARCHED = ("skill", "heatmap", "batch")


class Texts(HTMLParser):
    """The texts of a page outside of blocks of code."""

    def __init__(self, page):
        super().__init__()
        self.texts, self._silent = [], 0
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        """Count the blocks that are open."""
        self._silent += tag in ("pre", "script", "style")

    def handle_endtag(self, tag):
        """Count the blocks that are open."""
        self._silent -= tag in ("pre", "script", "style")

    def handle_data(self, data):
        """Keep a text."""
        if not self._silent:
            self.texts.append(data)


def left_markup(page):
    """Return the texts of a page that contain markup."""
    return [" ".join(text.split()) for text in Texts(page).texts if MARKUP.search(text)]


def check(app, exception):
    """Warn of what is wrong; with ``-W`` a warning fails the build."""
    from sphinx.util import logging  # here, because a test reads this file where Sphinx is not installed

    if exception or app.builder.name != "html":
        return
    log, out = logging.getLogger(__name__), Path(app.outdir)
    for path in sorted(out.rglob("*.html")):
        for text in left_markup(path.read_text(encoding="utf-8")):
            log.warning("markup as text in %s: %s", path.relative_to(out), text)
    index = (out / "searchindex.js").read_text(encoding="utf-8")
    for word in SEARCHED:
        if f'"{word}"' not in index:
            log.warning("the search does not find %r", word)


def setup(app):
    """Check when all pages are written."""
    app.connect("build-finished", check)
    return {"parallel_read_safe": True}
