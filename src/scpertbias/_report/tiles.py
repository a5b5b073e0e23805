"""The strip of verdicts as the page shows it: words, tone, and one small picture each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .numbers import known, upper
from .wording.tiles import SHORT_CAUTIONS, TILES, tile

WIDTH, BAR_Y, HEIGHT = 200.0, 9.0, 34.0
GOOD, MIDDLING, BAD, UNKNOWN = "good", "middling", "bad", "unknown"
TONES = {
    "screen": {"yes": GOOD, "partly": MIDDLING, "no": BAD},
    "shared": {"yes": MIDDLING, "partly": MIDDLING, "no": GOOD},
    "technical": {"yes": BAD, "partly": MIDDLING, "no": GOOD},
    "models": {"yes": GOOD, "partly": MIDDLING, "no": BAD},
    "retraining": {"yes": MIDDLING, "partly": MIDDLING, "no": GOOD},
}
EVIDENCE = {
    "screen": "screen",
    "shared": "response",
    "technical": "technical",
    "models": "scores",
    "retraining": "retraining",
}


def strip(contents: Mapping[str, Any], tables: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tiles, one per question that was answered."""
    verdicts = {verdict["name"]: verdict for verdict in contents["answer"]}
    tiles = []
    for name, question in TILES.items():
        if name not in verdicts:
            continue
        verdict = verdicts[name]
        words = tile(verdict)
        tiles.append(
            {
                "name": name,
                "question": question,
                "word": words.word,
                "text": words.text,
                "action": words.action,
                "tone": TONES[name].get(verdict["verdict"], UNKNOWN),
                "evidence": EVIDENCE[name],
                "picture": _picture(verdict, tables, contents["scorecard"]),
            }
        )
    return tiles


def severe(cautions: Sequence[Mapping[str, Any]]) -> str:
    """Return the severe cautions in one line."""
    words = [SHORT_CAUTIONS[c["kind"]](c["facts"]) for c in cautions if c["severe"]]
    return upper("; ".join(dict.fromkeys(words)))


def _picture(verdict: Mapping[str, Any], tables: Mapping[str, Any], card: Any) -> str:
    facts = verdict["facts"]
    if verdict["name"] == "screen":
        return _parts([facts["n_detected"], facts["n_target_only"]], facts["n"])
    if verdict["name"] in ("shared", "technical"):
        return _bar(facts.get("share"), facts.get("ci_low"), facts.get("ci_high"), tick=facts.get("null"))
    if verdict["name"] == "models" and len(card):
        row = card.iloc[0]
        return _dot(row["specific_skill"], row["specific_ci_low"], row["specific_ci_high"], ("0", "1"), 0.0, 1.0)
    if verdict["name"] == "retraining" and len(tables["retraining"]):
        rows = tables["retraining"]
        rows = rows[(rows["regime"] == facts.get("regime")) & (rows["metric"] == "l2_ratio")]
        if rows.empty:
            return ""
        row = rows.loc[rows["gain"].abs().idxmax()] if rows["gain"].notna().any() else rows.iloc[0]
        most = max(abs(row["ci_low"]), abs(row["ci_high"]), 0.02) if known(row["ci_low"], row["ci_high"]) else 0.0
        return _dot(row["gain"], row["ci_low"], row["ci_high"], ("worse", "better"), -most, most) if most else ""
    return ""


def _svg(*parts: str) -> str:
    return f'<svg class="glyph" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" aria-hidden="true">{"".join(parts)}</svg>'


def _at(value: float, low: float = 0.0, high: float = 1.0) -> float:
    """Return the place of a value; what lies outside is drawn at the end."""
    return 2 + (WIDTH - 4) * (min(max(value, low), high) - low) / (high - low)


def _ends(left: str, right: str) -> str:
    return f'<text x="1" y="31">{left}</text><text x="{WIDTH - 1:.0f}" y="31" text-anchor="end">{right}</text>'


def _rect(kind: str, x1: float, x2: float, height: float = 9.0) -> str:
    y = BAR_Y - height / 2
    return (
        f'<rect class="{kind}" x="{x1:.1f}" y="{y:.1f}" width="{max(x2 - x1, 0.5):.1f}" height="{height:.0f}" rx="2"/>'
    )


def _parts(counts: Sequence[float], total: float) -> str:
    """Return a bar of counts: detected, target gene only, and the rest."""
    if not total:
        return ""
    places = [0.0]
    for n in counts:
        places.append(places[-1] + n / total)
    bars = [
        _rect(kind, _at(a), _at(b)) for kind, a, b in zip(("one", "two"), places[:-1], places[1:], strict=True) if b > a
    ]
    key = f'<text x="{WIDTH / 2:.0f}" y="31" text-anchor="middle">pale: target gene only</text>' if counts[1] else ""
    return _svg(_rect("rest", 2, WIDTH - 2), *bars, _ends("0%", "100%"), key)


def _bar(share: Any, low: Any, high: Any, *, tick: Any = None) -> str:
    """Return a share as a bar, with its interval, and that of random genes as a tick."""
    if not known(share):
        return ""
    parts = [_rect("rest", 2, WIDTH - 2), _rect("one", 2, _at(share))]
    if known(low, high):
        parts.append(f'<line class="range" x1="{_at(low):.1f}" x2="{_at(high):.1f}" y1="{BAR_Y}" y2="{BAR_Y}"/>')
    if known(tick):
        parts.append(f'<line class="tick" x1="{_at(tick):.1f}" x2="{_at(tick):.1f}" y1="1" y2="{2 * BAR_Y - 1:.0f}"/>')
    return _svg(*parts, _ends("0%", "100%"))


def _dot(value: Any, low: Any, high: Any, ends: tuple[str, str], least: float, most: float) -> str:
    """Return an estimate with its interval between two ends; a line marks 0."""
    if not known(value, low, high):
        return ""
    span = (least - 0.25 * (most - least), most) if least == 0 else (least, most)
    zero = _at(0.0, *span)
    x1, x, x2 = (_at(v, *span) for v in (low, value, high))
    left = f'<text x="{zero:.0f}" y="31" text-anchor="middle">0</text>'
    labels = left + f'<text x="{WIDTH - 1:.0f}" y="31" text-anchor="end">1</text>' if ends[0] == "0" else _ends(*ends)
    return _svg(
        f'<line class="rule" x1="2" x2="{WIDTH - 2:.0f}" y1="{BAR_Y}" y2="{BAR_Y}"/>',
        f'<line class="tick" x1="{zero:.1f}" x2="{zero:.1f}" y1="1" y2="{2 * BAR_Y - 1:.0f}"/>',
        f'<line class="interval" x1="{x1:.1f}" x2="{x2:.1f}" y1="{BAR_Y}" y2="{BAR_Y}"/>',
        f'<circle class="one" cx="{x:.1f}" cy="{BAR_Y}" r="5"/>',
        labels,
    )
