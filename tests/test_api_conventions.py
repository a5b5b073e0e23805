"""One grammar for every public function: scanpy's, and the names and defaults that the package shares."""

import importlib
import inspect
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs" / "api"
NAMESPACES = ("pp", "tl", "get", "pl", "ds")

SHARED_DEFAULTS = {
    "copy": False,
    "gene_symbols": None,
    "groupby": "perturbation",
    "layer": None,
    "min_cells": 20,
    "n_jobs": None,
    "reference": None,
    "rng": 0,
    "split_key": "split",
    "batch_key": None,
    "combination_sep": None,
    "label_map": None,
}
OTHER_DEFAULTS = {
    ("pp.inspect", "groupby"): None,  # it looks for the column
    # here the reference is the one that the brought effects are relative to, not the control's name
    ("tl.add_predictions", "reference"): "observed",
    # an audit looks for batches with which labels are confounded
    ("tl.audit", "batch_key"): "auto",
}
PLOT_DEFAULTS = {"ax": None, "palette": None, "figsize": None, "show": None, "return_fig": False}
FIRST = {"adata", "mdata", "data"}
OTHER_FIRST = {
    "pp.jaccard_net": "sets",  # a net of gene sets: no screen is involved
    "tl.external_model": "name",  # a model for an audit: no screen is involved
    "tl.show_models": None,  # lists what models there are
}


def public() -> dict[str, Callable]:
    found = {}
    for space in NAMESPACES:
        module = importlib.import_module(f"scpertbias.{space}")
        found |= {f"{space}.{name}": getattr(module, name) for name in module.__all__}
    return found


PUBLIC = public()


def functions(*spaces: str):
    """Parametrize over the public functions of some namespaces."""
    names = [name for name in PUBLIC if name.split(".")[0] in (spaces or NAMESPACES)]
    return pytest.mark.parametrize("name", names)


def parameters(name: str) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(PUBLIC[name]).parameters)


def returned(name: str) -> set[str]:
    """The alternatives of the return annotation, without their modules."""
    annotation = inspect.signature(PUBLIC[name]).return_annotation
    if annotation is inspect.Signature.empty:
        return set()
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return {"None" if part.strip() == "NoneType" else part.strip().split(".")[-1] for part in text.split("|")}


def sections(doc: str) -> dict[str, list[str]]:
    """A numpy docstring's sections, by title."""
    lines = inspect.cleandoc(doc).splitlines()
    found: dict[str, list[str]] = {"": []}
    title = ""
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if line and below and set(below) == {"-"} and len(below) >= 3:
            title = line
            found[title] = []
        elif not (title and set(line) == {"-"}):
            found[title].append(line)
    return found


def documented(name: str) -> list[str]:
    """The lines of the Parameters section that name a parameter."""
    return [line for line in sections(PUBLIC[name].__doc__ or "").get("Parameters", []) if line and line[0] != " "]


# --- signatures ---


@functions()
def test_public_names_are_functions(name):
    assert inspect.isfunction(PUBLIC[name]), f"spb.{name} is {type(PUBLIC[name]).__name__}, not a function"
    assert not name.split(".")[1].startswith("_"), f"spb.{name} is private, yet in __all__"


@functions("pp", "tl", "get", "pl")
def test_data_come_first(name):
    first = next(iter(parameters(name)), None)
    expected = {OTHER_FIRST[name]} if name in OTHER_FIRST else FIRST
    assert first in expected, f"spb.{name} starts with {first!r}; expected one of {sorted(map(str, expected))}"


@functions()
def test_few_positional(name):
    positional = [p.name for p in parameters(name).values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    assert len(positional) <= 3, f"spb.{name} takes {positional} by position: put a * after the first ones"


@functions()
def test_everything_is_annotated(name):
    bare = [p.name for p in parameters(name).values() if p.annotation is p.empty]
    assert not bare, f"spb.{name}: no type for {bare}"
    assert returned(name), f"spb.{name}: no return type"


@functions("pp", "tl")
def test_in_place_or_new(name):
    """Either the data are changed (then `copy`, and `AnnData | None`), or something new is returned (then no `copy`)."""
    copy = parameters(name).get("copy")
    if copy is None:
        assert "None" not in returned(name), f"spb.{name} may return None, so it works in place: it needs copy=False"
        return
    assert copy.kind is copy.KEYWORD_ONLY, f"spb.{name}: copy is keyword-only"
    container = {"tl.coupling": "MuData"}.get(name, "AnnData")  # coupling compares the regimes of an audit
    assert returned(name) == {container, "None"}, f"spb.{name} has copy, so it returns AnnData | None: {returned(name)}"


@functions("get", "pl", "ds")
def test_readers_have_no_copy(name):
    assert "copy" not in parameters(name), f"spb.{name} changes nothing, so it has no copy"


@functions()
def test_shared_parameters_have_shared_defaults(name):
    expected = {key: OTHER_DEFAULTS.get((name, key), value) for key, value in SHARED_DEFAULTS.items()}
    wrong = {
        p.name: f"{p.default!r}, elsewhere {expected[p.name]!r}"
        for p in parameters(name).values()
        if p.name in expected and not (type(p.default) is type(expected[p.name]) and p.default == expected[p.name])
    }
    assert not wrong, f"spb.{name}: {wrong}"


@functions()
def test_shared_parameters_are_keyword_only(name):
    positional = [
        p.name for p in parameters(name).values() if p.name in SHARED_DEFAULTS and p.kind is not p.KEYWORD_ONLY
    ]
    assert not positional, f"spb.{name}: {positional} are keyword-only elsewhere"


@functions("pl")
def test_plots_share_their_parameters(name):
    params = parameters(name)
    assert "save" not in params, f"spb.{name}: no save; the figure's own savefig does it"
    for key, default in PLOT_DEFAULTS.items():
        assert key in params, f"spb.{name} lacks {key}"
        assert params[key].kind is inspect.Parameter.KEYWORD_ONLY, f"spb.{name}: {key} is keyword-only"
        assert params[key].default is default, f"spb.{name}: {key}={params[key].default!r}, elsewhere {default!r}"


# --- docstrings ---


@functions()
def test_every_parameter_is_documented(name):
    documented_names = [part.strip().lstrip("*") for line in documented(name) for part in line.split(":")[0].split(",")]
    assert documented_names == list(parameters(name)), (
        f"spb.{name}: the docstring's Parameters are {documented_names}, the signature's {list(parameters(name))}"
    )


@functions()
def test_types_live_in_the_signature(name):
    typed = [line for line in documented(name) if ":" in line]
    assert not typed, f"spb.{name}: the docstring repeats types: {typed}"


@functions()
def test_every_function_has_an_example(name):
    found = sections(PUBLIC[name].__doc__ or "")
    assert any(found[""]), f"spb.{name} has no first line"
    assert ">>>" in "\n".join(found.get("Examples", [])), f"spb.{name}: no Examples section with a >>> line"


@functions()
def test_docstring_parts_are_filled_in(name):
    left = re.findall(r"%\(\w+\)s|\{\w*doc\w*\}", PUBLIC[name].__doc__ or "")
    assert not left, f"spb.{name}: {left} were not replaced"


# --- the API pages ---


@pytest.mark.parametrize("space", NAMESPACES)
def test_all_is_the_api_page(space):
    listed = re.findall(rf"^\s+{space}\.(\w+)$", (DOCS / f"{space}.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    exported = importlib.import_module(f"scpertbias.{space}").__all__
    assert len(listed) == len(set(listed)), f"docs/api/{space}.md lists a name twice"
    assert set(listed) == set(exported), (
        f"only on docs/api/{space}.md: {sorted(set(listed) - set(exported))}; "
        f"only in spb.{space}.__all__: {sorted(set(exported) - set(listed))}"
    )
    assert len(exported) == len(set(exported)), f"spb.{space}.__all__ lists a name twice"


# --- what importing does ---

HEAVY = ("torch", "torch_geometric", "gears", "scgpt", "decoupler", "dask.distributed", "jinja2")
PROBE = f"""
import json, logging, sys, time, warnings
import matplotlib, numpy, scanpy, mudata

class Watch:
    seen = []
    def find_spec(self, name, path=None, target=None):
        if name in {HEAVY!r}:
            self.seen.append(name)

def state():
    return {{
        "warning filters": [repr(f) for f in warnings.filters],
        "root logger": [repr(logging.root.handlers), logging.root.level],
        "scanpy settings": {{
            name: repr(getattr(scanpy.settings, name))
            for name in ("verbosity", "n_jobs", "autoshow", "datasetdir", "figdir", "max_memory")
        }},
        "mudata options": repr(getattr(sys.modules.get("mudata._core.config"), "OPTIONS", None)),
        "matplotlib": [matplotlib.get_backend(), repr(dict(matplotlib.rcParams))],
        "numpy": [repr(numpy.get_printoptions()), repr(numpy.geterr()), int(numpy.random.get_state()[2])],
    }}

before = state()
sys.meta_path.insert(0, Watch())
start = time.perf_counter()
import scpertbias
for name in scpertbias.__all__:
    getattr(scpertbias, name)
seconds = time.perf_counter() - start
after = state()
print(json.dumps({{
    "seconds": seconds, "asked_for": Watch.seen,
    "changed": [key for key in before if before[key] != after[key]],
}}))
"""


QUICK = 2.0  # seconds


@pytest.fixture(scope="module")
def imported() -> dict:
    """The best of up to three imports, each in a fresh interpreter that has scanpy already."""
    best = {"seconds": float("inf")}
    for _ in range(3):
        run = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)
        if run.returncode:
            pytest.fail("import scpertbias failed:\n" + textwrap.indent(run.stderr[-3000:], "  "), pytrace=False)
        best = min(best, json.loads(run.stdout.splitlines()[-1]), key=lambda run: run["seconds"])
        if best["seconds"] < QUICK:
            break
    return best


def test_import_leaves_the_heavy_stacks_alone(imported):
    assert imported["asked_for"] == [], "import them inside the function that needs them"


def test_import_changes_no_global_state(imported):
    assert imported["changed"] == [], "importing scpertbias changed these"


def test_import_is_quick(imported):
    seconds = imported["seconds"]
    assert seconds < QUICK, f"import scpertbias takes {seconds:.1f} s beyond scanpy: see python -X importtime"


LAZY = """
import sys
import scpertbias as spb
assert not {"numpy", "pandas", "scanpy"} & set(sys.modules)
assert {*spb.__all__, "__version__"} <= set(dir(spb))
from scpertbias import pp
assert "scanpy" in sys.modules and spb.pp is pp and "pp" in vars(spb)
from scpertbias import *
assert spb.report is report and callable(report) and tl is spb.tl
try:
    spb.pq
except AttributeError as err:
    assert str(err) == "module 'scpertbias' has no attribute 'pq'"
else:
    raise AssertionError
"""


def test_spaces_are_imported_when_they_are_used():
    run = subprocess.run([sys.executable, "-c", LAZY], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
