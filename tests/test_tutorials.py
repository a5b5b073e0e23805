"""Every tutorial runs in a kernel of its own, and prints what is committed."""

import math
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

TUTORIALS = Path(__file__).parents[1] / "docs" / "tutorials"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?")


def tutorial(path):
    """What a tutorial says of itself: the extras that it needs, and whether it takes minutes."""
    said = nbformat.read(path, as_version=4).metadata.get("scpertbias", {})
    marks = [pytest.mark.needs(extra) for extra in said.get("needs", [])]
    marks += [pytest.mark.nightly] if said.get("nightly") else []
    return pytest.param(path, id=path.stem, marks=[pytest.mark.slow, *marks])


def printed(cell):
    """The text of a cell's outputs, the pictures by a word."""
    texts = []
    for output in cell.get("outputs", []):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", f"a warning in a tutorial: {output.text}"
        texts.append(output.text if output.output_type == "stream" else output.data["text/plain"])
        texts += ["(picture)"] if "image/png" in output.get("data", {}) else []
    return "\n".join(texts)


def assert_same_text(found, committed):
    """Words are the same, and numbers to one in a hundred: tables are printed with three digits or so."""
    words = [NUMBER.sub("#", text).split() for text in (found, committed)]
    assert words[0] == words[1], found
    for one, other in zip(NUMBER.findall(found), NUMBER.findall(committed), strict=True):
        assert math.isclose(float(one), float(other), rel_tol=0.01, abs_tol=0.002), (one, other, found)


@pytest.mark.parametrize("path", [tutorial(path) for path in sorted(TUTORIALS.glob("*.ipynb"))])
def test_tutorial(path, tmp_path, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)  # a kernel draws inline
    found, committed = (nbformat.read(path, as_version=4) for _ in range(2))
    NotebookClient(found, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
    trains = bool(found.metadata.get("scpertbias", {}).get("needs"))
    for now, then in zip(found.cells, committed.cells, strict=True):
        if trains:  # what a network has learned differs from machine to machine
            assert bool(printed(now)) == bool(printed(then))
        else:
            assert_same_text(printed(now), printed(then))


@pytest.mark.parametrize("path", sorted(TUTORIALS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_tutorials_speak(path):
    """There are words between the cells, the needs are said, and the gallery lists the notebook."""
    cells = nbformat.read(path, as_version=4).cells
    kinds = "".join(cell.cell_type[0] for cell in cells)
    assert "ccc" not in kinds
    head = "".join(cell.source for cell in cells[:3] if cell.cell_type == "markdown")
    assert re.search(r"\*\*Requirements\*\*.*memory", head)
    assert path.name in (TUTORIALS / "README.md").read_text(encoding="utf-8")


def test_numbers_are_compared():
    assert_same_text("a 0.310 n 25", "a  0.311 n 25")
    for other in ("a 0.350 n 25", "b 0.310 n 25", "a 0.310 n", "a 0.310 n 26"):
        with pytest.raises(AssertionError):
            assert_same_text("a 0.310 n 25", other)
