"""The words of docs, docstrings, messages and tutorials: no phrase of the retired dialect, and few long sentences."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "scpertbias"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
PAGES = [page for page in PAGES if not {"_build", "generated"} & set(page.parts)]
NOTEBOOKS = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))
MODULES = sorted(SOURCE.rglob("*.py"))

BANNED = (
    r"cannot be told|can be told|told apart|told from|not told|untold|nothing is said|says? nothing|nothing says",
    r"holds? 0|no more than chance|so many|none fully|turned round|held against|put(s|ting)? (them )?on top",
    r"what became of|lies? beside|stands? beside|beside (it|them|each|every|the|that|other|a|an|as)\b|the truth itself",
    r"closer to the truth|whatever\b|whoever\b|by (itself|themselves)\b|\bowes?\b|says? in a word\b|know(s)? of each other",
    r"(?<!there) (is|are) no (?!longer\b|more\b|less\b|better\b|worse\b)",
    r"(say|says) (what|which|how|whether) .{0,40} (knows?|asks?|asked)\b",
    r"(is|are|was|were) asked (of|for|by|about)|is brought|were brought|models that were brought|brought (model|predict)",
    r"\ba (perturbation|model|row|gene|cell|regime|epoch|fold|batch|file|metric|set) (each|at a time)",
    r"as (is )?needed\b|hears? from|asks? (a|the) (real )?(screen|model)|no knowledge\b|is allowed to know",
    r"one (row|fit|file|folder|job|bar|line|panel) an? (?!time)",
    r"\d %",
)
DIALECT = re.compile("|".join(f"(?:{phrase})" for phrase in BANNED), re.IGNORECASE)
MOST_WORDS, MOST_LONG = 30, 10


def prose_of_page(text):
    """The paragraphs, items and cells of a Markdown page, without code."""
    text = re.sub(r"^---\n.*?^---\n", "", text, flags=re.S)
    text = re.sub(
        r"^(```+|:::+).*?$(.*?)^\1\s*$", lambda m: m[2] if "glossary" in m[0][:20] else "", text, flags=re.M | re.S
    )
    text = re.sub(r"\$\$.*?\$\$", "", text, flags=re.S)
    for part in re.split(r"\n\s*\n|\n(?=[ ]*(?:[-*]|\d+\.|:::|#|>) ?)|\|", text):
        if words := " ".join(part.split()):
            yield re.sub(r"^(?:[-*#>]+|\d+\.) ", "", words)


def bare(text):
    """The text without code, links, citations and what stands in parentheses."""
    text = re.sub(r"\{[\w:]+\}", "", text)
    text = re.sub(r"(`+).*?\1", "x", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r":[a-z:]+:x", "x", text)
    while re.search(r"\([^()]*\)", text):
        text = re.sub(r"\s*\([^()]*\)", "", text)
    return text


def long_sentences(text):
    """The sentences of a text with too many words."""
    sentences = re.split(r"(?<=[.:;!?])\s+", bare(text))
    return [s for s in sentences if len(re.findall(r"[^\W_]+(?:[-'’.,][^\W_]+)*", s)) > MOST_WORDS]


def strings(path):
    """The docstrings and other texts of a module, with their lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(v.value if isinstance(v, ast.Constant) else "X" for v in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value.split()) > 2:
            yield node.lineno, re.sub(r">>>.*?(\n\s*\n|$)", "", node.value, flags=re.S)


def dialect(text):
    """The retired phrases in a text."""
    return [match[0] for match in DIALECT.finditer(" ".join(re.sub(r"(`+)[^`]*\1", "x", text).split()))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_retired_phrase_on_a_page(page):
    found = {text: phrases for text in prose_of_page(page.read_text(encoding="utf-8")) if (phrases := dialect(text))}
    assert not found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_retired_phrase_in_a_tutorial(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    assert not {text: phrases for text in texts if (phrases := dialect(text))}


def test_no_retired_phrase_in_docstrings_and_messages():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {phrases}"
        for path in MODULES
        for line, text in strings(path)
        if (phrases := dialect(text))
    ]
    assert not found, "\n".join(found)


def test_few_long_sentences_on_the_pages():
    found = [
        f"{page.name}: {sentence}"
        for page in PAGES
        if page.name != "CHANGELOG.md"
        for text in prose_of_page(page.read_text(encoding="utf-8"))
        for sentence in long_sentences(text)
    ]
    assert len(found) < MOST_LONG, "\n".join(found)


def test_the_patterns_find_what_they_ban():
    for bad in (
        "This cannot be told.",
        "one row a model",
        "57 % of it",
        "It is no artifact",
        "a null beside every number",
    ):
        assert dialect(bad), bad
    for good in ("There is no control.", "one row per model", "57% of it", "It is not an artifact", "`a beside b`"):
        assert not dialect(good), good
    assert long_sentences("a " * 31 + ".")
    assert not long_sentences("a " * 20 + "(" + "b " * 20 + ").")
