"""The page: one HTML file that needs nothing else."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from mudata import MuData

from .._files import replace_file
from .content import content
from .figures import figures
from .layout import card_rows, views
from .numbers import count, with_full_stop
from .wording.terms import BADGES

EVIDENCE = {
    "screen": ("screen", "See every perturbation"),
    "shared": ("response", "See all shares"),
    "technical": ("response", "See all shares"),
    "models": ("scores", "See all scores"),
    "retraining": ("retraining", "See all regimes"),
    "recurrence": ("recurrence", "See all genes"),
}


def report(data: MuData, path: str | Path, *, title: str | None = None, truth: pd.DataFrame | None = None) -> None:
    """Write the report of an audit: one self-contained HTML page that loads nothing.

    Parameters
    ----------
    data
        What :func:`scpertbias.tl.audit` returned.
    path
        File to write; one that exists is replaced.
    title
        Title of the page.
    truth
        What was planted in a simulated screen, to be shown beside what was found: a frame with ``quantity``,
        ``planted`` and ``found``.

    Returns
    -------
    Nothing; the page lies at ``path``.

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
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    contents = content(data, title=title, truth=truth)
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(count=count, readable=_readable, sentence=with_full_stop, tied=_tied)
    here = files(__package__)
    svg_figures = {
        section: [{**figure, "svg": Markup(figure["svg"])} for figure in some]
        for section, some in figures(data, contents["tables"]).items()
    }
    return environment.from_string(here.joinpath("template.html.j2").read_text(encoding="utf-8")).render(
        **{key: contents[key] for key in ("title", "answer", "cautions", "remarks", "notes", "warnings", "provenance")},
        card=[{**row, "bar": Markup(row["bar"])} for row in card_rows(contents["scorecard"])],
        badges=BADGES,
        evidence=EVIDENCE,
        views=views(contents["tables"], contents["planted"], contents["described"]),
        left_out={
            name: contents["tables"][name].to_dict("records") for name in ("models_left_out", "regimes_left_out")
        },
        figures=svg_figures,
        css=Markup(here.joinpath("style.css").read_text(encoding="utf-8")),
        js=Markup(here.joinpath("page.js").read_text(encoding="utf-8")),
    )


def _tied(text: str) -> str:
    """Return text in which a number and its unit stay on one line."""
    for loose in ("n = ", "p = ", "p < ", "q < ", "95% CI "):
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
