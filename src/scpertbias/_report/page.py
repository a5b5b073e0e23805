"""The page: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from markupsafe import Markup, escape
from mudata import MuData

from .. import _store, _tables
from .._files import replace_file
from ..pl._colors import model_colors
from ..tl._effects import effects
from .card import card_rows
from .charts.all_charts import charts
from .charts.drawing import Drawing
from .content import constant_models, content
from .explore import explore
from .layout import views
from .numbers import count, listed, with_full_stop
from .packed import as_script
from .provenance import screen_size
from .tables import read
from .tiles import TONES, severe, strip
from .understood import understood
from .verdicts.scorecard import Standing, evaluated
from .wording import word
from .wording.glossary import GLOSSARY
from .wording.methods import citation, methods
from .wording.terms import without

SCRIPTS = ("core", "draw", "charts", "figure", "tables", "explore", "main")
"""The parts of the page's script, in ``js/``, in the order in which they are joined."""


def report(data: MuData, path: str | Path, *, title: str | None = None, truth: pd.DataFrame | None = None) -> None:
    """Write the report of an audit: one self-contained HTML page that loads no other files.

    Parameters
    ----------
    data
        Result of :func:`scpertbias.tl.audit`.
    path
        File to write; an existing file is replaced.
    title
        Title of the page.
    truth
        True values of a simulated screen, shown with the estimates of the audit: a frame with ``quantity``, ``planted``
        (the true value) and ``found`` (the estimate).

    Returns
    -------
    Nothing; the page is written to ``path``.

    Raises
    ------
    TypeError
        If ``data`` is not a MuData.
    KeyError
        If ``data`` is not an audit.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import scpertbias as spb
    >>> mdata = spb.tl.audit(spb.ds.papalexi_2021(), batch_key="bio_rep", covariates=["p_mito"], models=("mean",))
    >>> path = Path(tempfile.mkdtemp()) / "audit.html"
    >>> spb.report(mdata, path)
    >>> path.read_text(encoding="utf-8").startswith("<!doctype html>")
    True
    """
    replace_file(Path(path), render(data, title=title, truth=truth))


def render(data: MuData, *, title: str | None = None, truth: pd.DataFrame | None = None) -> str:
    """Return the page."""
    contents = content(data, title=title, truth=truth)
    card, tables = contents["scorecard"], read(data)
    shown_tables = evaluated(tables, card)
    constant = frozenset(constant_models(data))
    unlinked = card.loc[card["kind"] == Standing.UNLINKED, "model"].tolist()
    drawing = Drawing(shown_tables, card, constant, model_colors(data), effects(data["full"]), frozenset(unlinked))
    figures = charts(drawing)
    needed = _tables.read(data, "cells_needed") if _store.has_table(data, "cells_needed") else None
    explored = explore(drawing, needed)
    names = [] if explored is None else tables["perturbations"]["perturbation"].tolist()
    css, js = style(), script()
    return (
        environment(names)
        .get_template("page.html.j2")
        .render(
            **{key: contents[key] for key in ("title", "cautions", "remarks", "notes", "warnings", "provenance")},
            answer=[{**one, "word": word(one["text"])} for one in contents["answer"]],
            strip=[{**tile, "picture": Markup(tile["picture"])} for tile in strip(contents, shown_tables)],
            severe_line=severe(contents["cautions"]),
            understood=understood(tables["check"], contents["provenance"], screen_size(data), tables["models"]),
            planted=contents["planted"] is not None,
            card=[{**row, "bar": Markup(row["bar"])} for row in card_rows(card)],
            unlinked=unlinked,
            baseline=drawing.baseline,
            tones={
                **{name: {**tones, "inconclusive": "unknown"} for name, tones in TONES.items()},
                "recurrence": RECURRENCE,
            },
            glossary=GLOSSARY,
            explorable=frozenset(names),
            charts=figures,
            views=views(
                _of_page(contents["tables"], shown_tables),
                contents["planted"],
                _evaluated(contents["described"], unlinked),
                constant,
            ),
            regimes_left_out=tables["regimes_left_out"].to_dict("records"),
            css=Markup(css),
            css_hash=digest(css),
            js=Markup(js),
            js_hash=digest(js),
            data=Markup(as_script(_data(drawing, figures, explored, contents))),
        )
    )


def _evaluated(described: pd.DataFrame, unlinked: Collection[str]) -> pd.DataFrame:
    """Return the models without the number that they cannot predict, where they are not evaluated."""
    n = described["n_unpredicted"].astype("float64")
    return described.assign(n_unpredicted=n.mask(described["model"].isin(unlinked)))


RECURRENCE = {"yes": "bad", "no": "good", "partly": "middling", "inconclusive": "unknown"}


def _of_page(stored: Mapping[str, pd.DataFrame], shown_tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the tables that the file holds too, without the rows of models that are not evaluated."""
    return {name: table[table.index.isin(shown_tables[name].index)] for name, table in stored.items()}


def _data(
    drawing: Drawing, figures: Collection[Any], explored: dict[str, Any] | None, contents: Mapping[str, Any]
) -> dict[str, Any]:
    """Return all that the page's script reads."""
    provenance = contents["provenance"]
    regimes = [without(name) for name in provenance["genes"] if name != "full"]
    version = provenance["versions"].get("scpertbias", "")
    matrices = [figure.options["matrix"]["columns"] for figure in figures if "matrix" in figure.options]
    genes = [*(explored or {}).get("genes", []), *(name for columns in matrices for name in columns)]
    return {
        "figures": {figure.name: figure.spec() for figure in figures},
        "explore": explored,
        "models": drawing.order(),
        "genes": sorted(set(genes) - set(drawing.order())),
        "colors": dict(drawing.colors),
        "copied": {
            "methods": methods(provenance, len(drawing.tables["perturbations"]), drawing.order(), regimes),
            "citation": citation(version),
        },
    }


def style() -> str:
    """Return the style sheet of the page."""
    return files(__package__).joinpath("style.css").read_text(encoding="utf-8")


def script(parts: Sequence[str] = SCRIPTS) -> str:
    """Return the script of a page, without comments and indentation."""
    folder = files(__package__).joinpath("js")
    text = "\n".join(folder.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in parts)
    lines = (line.strip() for line in text.splitlines())
    body = "\n".join(line for line in lines if line and not line.startswith("//"))
    return f'"use strict";(() => {{\n{body}\n}})();'


def digest(text: str) -> str:
    """Return the hash by which the page's policy allows a script or style sheet."""
    return base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def environment(names: Collection[str]) -> Any:
    """Return the templates, whose sentences link each of some names to its perturbation."""
    from jinja2 import DictLoader, Environment, StrictUndefined

    folder = files(__package__).joinpath("templates")
    sources = {f.name: f.read_text(encoding="utf-8") for f in folder.iterdir() if f.name.endswith(".j2")}
    templates = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=DictLoader(sources)
    )
    linked = frozenset(name for name in names if len(name) > 2 and not name.islower())
    templates.filters.update(
        count=count,
        readable=_readable,
        sentence=with_full_stop,
        listed=listed,
        regime=lambda name: "all genes" if name == "full" else without(name),
        quoted=lambda text: quote(text, safe=""),
        breakable=lambda text: Markup(str(escape(text)).replace("_", "_<wbr>")),
        tied=lambda text: _linked(_tied(text), linked),
    )
    return templates


def _linked(text: str, names: Collection[str]) -> Markup:
    """Return text in which names of perturbations open them."""
    parts = re.split(r"([\w.+/-]*\w)", text)
    return Markup("").join(
        Markup('<a href="#p={}">{}</a>').format(quote(part, safe=""), part) if part in names else part for part in parts
    )


def _tied(text: str) -> str:
    """Return text in which a number and its unit stay on one line."""
    for loose in ("n = ", "p = ", "p < ", "q < ", "q ≤ ", "95% CI "):
        text = text.replace(loose, loose.replace(" ", "\u00a0"))
    return text


def _readable(value: Any) -> str:
    """Return a parameter as text."""
    if value is None or value is False:
        return "no" if value is False else "not given"
    if value is True:
        return "yes"
    if isinstance(value, list):
        return ", ".join(str(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
