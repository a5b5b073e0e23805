"""A figure for every plot: the examples in the docstrings of ``pl`` are run, and what they draw is shown.

The thumbnails stand on the page of ``pl``, the figures below the examples. Figures newer than the source are kept.
"""

import doctest
from pathlib import Path

import matplotlib as mpl
from sphinx.util import logging

SOURCE = Path(__file__).parents[2] / "src" / "scpertbias"
FOLDER = Path("api", "generated", "plots")
CARD = """\
:::{{grid-item-card}} {title}
:link: /api/generated/scpertbias.pl.{name}
:link-type: doc
:img-top: /{image}

{text}
:::
"""


def draw(function, image):
    """Run the example of a plot and save its figure."""
    import matplotlib.pyplot as plt

    names = {}
    for example in doctest.DocTestParser().get_examples(function.__doc__):
        exec(compile(example.source, function.__name__, "single"), names)
    plt.gcf().savefig(image, dpi=110, bbox_inches="tight")
    plt.close("all")


def first_line(function):
    """Return the summary of a function as Markdown."""
    return " ".join(function.__doc__.strip().split("\n\n")[0].split()).replace("``", "`")


def draw_all(app):
    """Draw the figures that are older than the source, and write the cards."""
    from scpertbias import pl

    mpl.use("agg")
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    changed = max(path.stat().st_mtime for path in SOURCE.rglob("*.py"))
    cards = []
    for name in pl.__all__:
        image = folder / f"{name}.png"
        function = getattr(pl, name)
        if not image.exists() or image.stat().st_mtime < changed:
            try:
                draw(function, image)
            except Exception as err:  # noqa: BLE001 - the other figures are drawn, and the build fails with -W
                logging.getLogger(__name__).warning("the example of pl.%s draws no figure: %r", name, err)
                continue
        title = f"pl.{name}".replace("_", "_\N{ZERO WIDTH SPACE}")  # may break after an underscore
        cards.append(
            CARD.format(name=name, title=title, text=first_line(function), image=(FOLDER / image.name).as_posix())
        )
    # Not a page of its own: docs/api/pl.md includes it.
    (folder.parent / "gallery.txt").write_text("".join(cards), encoding="utf-8")


def add_figure(app, what, name, obj, options, lines):
    """Append the figure to the docstring of a plot."""
    if name.startswith("scpertbias.pl."):
        image = FOLDER / f"{name.rpartition('.')[2]}.png"
        lines[:] = [line for line in lines if not (line.startswith(":rtype:") and "Any" in line)]  # "Returns" says more
        lines += ["", f".. image:: /{image.as_posix()}", f"   :alt: What the example of {name} draws", ""]


def setup(app):
    """Connect the gallery."""
    app.connect("builder-inited", draw_all)
    app.connect("autodoc-process-docstring", add_figure, priority=900)
    return {"parallel_read_safe": True}
