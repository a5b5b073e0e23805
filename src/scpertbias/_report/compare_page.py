"""Several audits side by side on one page: what can be compared, and why the rest cannot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from markupsafe import Markup
from mudata import MuData

from .. import _compat
from .._files import reading, replace_file
from .compare_charts import charts
from .compare_rows import ComparedAudit, audit_of, notes, overview
from .content import SCHEMA, to_json
from .packed import as_script
from .page import digest, environment, script, style
from .tiles import TONES
from .wording.tiles import TILES, WORDS, tile

FILES = ("audit.json", "audit.h5mu")
KEYS = ("title", "answer", "scorecard", "tables", "drawn", "provenance")
"""What is read of a file."""
SCRIPTS = ("core", "draw", "charts", "figure", "tables", "compare")
TITLE = "Comparison of {n} audits"


def compare(
    audits: Sequence[MuData | str | Path],
    path: str | Path,
    *,
    names: Sequence[str] | None = None,
    title: str | None = None,
) -> None:
    """Write one self-contained HTML page that compares audits of several screens, or of one screen with several models.

    Verdicts are shown side by side. One forest plot contains the shares of the response and the skills, because they
    have the same scale in every screen. If audits are of the same screen, their models are also compared in pairs. The
    page lists everything that cannot be compared, with the reason.

    Parameters
    ----------
    audits
        Two or more audits. Each is the result of :func:`scpertbias.tl.audit`, a folder that ``scpertbias audit`` wrote,
        or the file ``audit.json`` or ``audit.h5mu`` in this folder.
    path
        File to write; an existing file is replaced.
    names
        A short name for each audit; by default the name of its folder or file, or its title.
    title
        Title of the page.

    Returns
    -------
    Nothing; the page is written to ``path``.

    Raises
    ------
    ValueError
        If there are fewer than two audits, an audit is passed twice, names repeat, or a file contains no audit.
    FileNotFoundError
        If a file does not exist.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import scpertbias as spb
    >>> screen = spb.ds.papalexi_2021()
    >>> mean = spb.tl.audit(screen, batch_key="bio_rep", models=("mean",))
    >>> ridge = spb.tl.audit(screen, batch_key="bio_rep", models=("mean", "ridge"))
    >>> path = Path(tempfile.mkdtemp()) / "compare.html"
    >>> spb.compare([mean, ridge], path, names=["mean alone", "with ridge"])
    >>> path.read_text(encoding="utf-8").startswith("<!doctype html>")
    True
    """
    replace_file(Path(path), render(audits, names=names, title=title))


def render(
    audits: Sequence[MuData | str | Path], *, names: Sequence[str] | None = None, title: str | None = None
) -> str:
    """Return the page."""
    compared = _named(audits, names)
    figures = charts(compared)
    css = style() + files(__package__).joinpath("compare.css").read_text(encoding="utf-8")
    js = script(SCRIPTS)
    data = {"figures": {figure.name: figure.spec() for figure in figures}}
    return str(
        environment(())
        .get_template("compare.html.j2")
        .render(
            title=title or TITLE.format(n=len(compared)),
            audits=compared,
            overview=overview(compared),
            questions=[(question, [_verdict(a, name) for a in compared]) for name, question in TILES.items()],
            notes=notes(compared),
            charts=figures,
            css=Markup(css),
            css_hash=digest(css),
            js=Markup(js),
            js_hash=digest(js),
            data=Markup(as_script(data)),
        )
    )


def _named(sources: Sequence[MuData | str | Path], names: Sequence[str] | None) -> list[ComparedAudit]:
    """Read the audits, and give each a name of its own."""
    if isinstance(sources, str | Path | MuData) or len(sources) < 2:
        msg = "A comparison needs two audits or more."
        raise ValueError(msg)
    paths = [Path(source).resolve() for source in sources if not isinstance(source, MuData)]
    if twice := sorted({str(path) for path in paths if paths.count(path) > 1}):
        msg = f"The same audit is passed twice: {', '.join(twice)}. Pass each audit once."
        raise ValueError(msg)
    if names is not None and (len(names) != len(sources) or len(set(names)) < len(names) or not all(names)):
        msg = f"`names` are {list(names)}; pass {len(sources)} different names, one per audit."
        raise ValueError(msg)
    contents = [_read(source) for source in sources]
    default = [_name(source, one) for source, one in zip(sources, contents, strict=True)]
    own = [name if default.count(name) == 1 else f"{name} ({i + 1})" for i, name in enumerate(default)]
    return [audit_of(name, one) for name, one in zip(names or own, contents, strict=True)]


def _name(source: MuData | str | Path, contents: dict[str, Any]) -> str:
    """Return the name of a file, of a folder's files that of the folder, or the title."""
    if isinstance(source, MuData):
        return str(contents["title"])
    path = Path(source).resolve()
    return path.parent.name if path.name in FILES else path.stem if path.is_file() else path.name


def _read(source: MuData | str | Path) -> dict[str, Any]:
    """Return what the file ``audit.json`` of an audit holds, wherever it is read from."""
    if isinstance(source, MuData):
        return dict(json.loads(to_json(source)))
    path = Path(source)
    if path.is_dir():
        inside = [path / name for name in FILES if (path / name).is_file()]
        if not inside:
            msg = f"{path} contains no audit: it has neither {FILES[0]} nor {FILES[1]}. Pass a folder that an audit wrote."
            raise ValueError(msg)
        path = inside[0]
    if path.exists() and path.suffix not in (".json", ".h5mu"):
        msg = f"{path} is not an audit. Pass the folder of an audit, or its {FILES[0]} or {FILES[1]}."
        raise ValueError(msg)
    with reading(path):
        if path.suffix == ".h5mu":
            return dict(json.loads(to_json(_compat.read_h5mu(str(path)))))
        contents = json.loads(path.read_text(encoding="utf-8"))
        schema = contents.get("schema") if isinstance(contents, dict) else None
        if schema != SCHEMA:
            msg = f"its schema is {schema!r}, but this version of scpertbias reads only {SCHEMA!r}; repeat the audit"
            raise ValueError(msg)
        if missing := [key for key in KEYS if key not in contents]:
            msg = f"the file has no {', '.join(missing)}; repeat the audit"
            raise ValueError(msg)
        return dict(contents)


def _verdict(audit: ComparedAudit, name: str) -> dict[str, str]:
    """Return the words of one verdict of an audit; where it has none, why."""
    for verdict in audit.contents["answer"]:
        if verdict["name"] == name and (name, verdict["kind"]) in WORDS:
            words = tile({**verdict, "facts": _numbers(verdict["facts"])})
            tone = TONES[name].get(verdict["verdict"], "unknown")
            return {"audit": audit.name, "word": words.word, "text": words.text, "action": words.action, "tone": tone}
    why = (
        "This audit contains no model."
        if not audit.contents["scorecard"]
        else "This audit does not answer this question."
    )
    return {"audit": audit.name, "word": "Not compared", "text": why, "action": "", "tone": "unknown"}


def _numbers(value: Any) -> Any:
    """Return facts in which what is missing is NaN, as it was before the file was written."""
    if isinstance(value, dict):
        return {key: _numbers(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_numbers(one) for one in value]
    return float("nan") if value is None else value
