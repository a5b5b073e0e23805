"""The rooms keep their walls: what may import what, who may touch the slots, and how large a piece may grow."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse import csgraph

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src" / "scpertbias"

MAX_FILE, MAX_BODY = 300, 70
DEEP = {"torch", "torch_geometric", "gears", "scgpt"}
SLOTS = {"layers", "varm", "obsm", "uns"}
READERS = ("pl", "_report", "_cli")
# The rooms from the ground up: an import runs downward, or stays in its row.
ROWS = (
    ("_keys", "_log", "_docs", "_compat"),
    ("_core",),
    ("_columns", "_files", "_genes", "_inspect", "_labels", "_scale", "_serialize", "_store", "_validate"),
    ("_moments",),
    ("_results", "_held_out", "_tables"),
    ("ds", "pp"),
    ("_models",),
    ("get",),
    ("tl",),
    ("pl",),
    ("_report",),
    ("_cli",),
    ("__init__",),
)
ROW = {room: row for row, rooms in enumerate(ROWS) for room in rooms}
# Words that do not say what a thing is, and names that better ones have replaced.
VAGUE = {"asked", "brought", "done", "found", "given", "kept", "made", "said", "shown", "told", "wanted"}
RETIRED = {
    *(
        "Asked",
        "Brought",
        "Deal",
        "Gathering",
        "Judge",
        "Later",
        "Leaves",
        "Scene",
        "Shelf",
        "Shelved",
        "Side",
        "Stage",
    ),
    *(
        "ask",
        "deal",
        "dealt",
        "fit_control",
        "kappa",
        "leaf",
        "leaves",
        "on_target",
        "pseudobulk",
        "scene",
        "shelf",
        "stage",
    ),
    *("strata", "stratum_names", "vs_mean"),
}
RETIRED_MODULES = {
    *("_align", "_answer", "_ask", "_audit_tables", "_card", "_compare", "_confounded", "_described", "_distributed"),
    *(
        "_enrichment",
        "_folder",
        "_foreign",
        "_format",
        "_lean",
        "_leaning",
        "_left_out",
        "_parts",
        "_pass",
    ),
    *(
        "_plain",
        "_problem",
        "_pseudobulk",
        "_ranked",
        "_recurring",
        "_registry",
        "_removals",
        "_say",
        "_scene",
        "_scoring",
    ),
    *("_smooth", "_stack", "_stopping", "_survey", "_tables_of", "_trusted", "_truth", "_units", "_views", "_worked"),
    *("blocks", "gather", "on_target", "overlap", "pseudobulk"),
}
# Without a test file of their own: names and text, exercised by everything else.
UNTESTED = {"__init__", "__main__", "_docs", "_keys", "arrays"}


@dataclass(frozen=True)
class Module:
    path: Path
    text: str
    tree: ast.Module

    @property
    def rel(self) -> str:
        return self.path.relative_to(SRC).as_posix()

    @property
    def room(self) -> str:
        return self.rel.split("/")[0].removesuffix(".py")

    @property
    def package(self) -> list[str]:
        return ["scpertbias", *self.path.relative_to(SRC).parent.parts]


@dataclass(frozen=True)
class Imported:
    name: str  # absolute and dotted, with the imported name as its last part
    line: int
    deferred: bool  # inside a function, or for type checkers only
    for_types: bool = False

    @property
    def parts(self) -> list[str]:
        return self.name.split(".")

    def within(self, package: str) -> bool:
        return f"{self.name}.".startswith(f"{package}.")


def modules() -> list[Module]:
    found = []
    for path in sorted(SRC.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Module(path, text, ast.parse(text, filename=str(path))))
    return found


MODULES = modules()


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports(module: Module) -> Iterator[Imported]:
    yield from _imports(module, module.tree, deferred=False, for_types=False)


def _imports(module: Module, node: ast.AST, *, deferred: bool, for_types: bool) -> Iterator[Imported]:
    for child in ast.iter_child_nodes(node):
        types = for_types or is_type_checking(child)
        inner = deferred or types or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Imported(alias.name, child.lineno, inner, types)
        elif isinstance(child, ast.ImportFrom):
            base = module.package[: len(module.package) - child.level + 1] if child.level else []
            base = [*base, *(child.module.split(".") if child.module else [])]
            for alias in child.names:
                yield Imported(".".join([*base, alias.name]), child.lineno, inner, types)
        elif isinstance(child, ast.Call) and ast.unparse(child.func).endswith("import_module"):
            for name in (arg.value for arg in child.args[:1] if isinstance(arg, ast.Constant)):
                yield Imported(str(name), child.lineno, inner, types)
        yield from _imports(module, child, deferred=inner, for_types=types)


def outside(parts: list[str]) -> bool:
    return parts[0] not in {"scpertbias", "__future__"}


def private(part: str) -> bool:
    return part.startswith("_") and not part.startswith("__")


# --- the rules: each yields what breaks it in one module ---


def core_imports_arrays_only(module: Module) -> Iterator[str]:
    """`_core` imports numpy, scipy, numba, joblib (how many processors there are), the standard library and itself only"""
    if module.room != "_core":
        return
    allowed = {"joblib", "numba", "numpy", "scipy", *sys.stdlib_module_names}
    for item in imports(module):
        if item.parts[0] not in allowed and not item.within("scpertbias._core"):
            yield f"{module.rel}:{item.line} imports {item.name}"


def deep_stacks_stay_deep(module: Module) -> Iterator[str]:
    """torch, torch_geometric, gears and scgpt are imported under `_models/deep/` only, inside functions"""
    for item in imports(module):
        if item.parts[0] not in DEEP:
            continue
        if not module.rel.startswith("_models/deep/"):
            yield f"{module.rel}:{item.line} imports {item.name}: move it to _models/deep/"
        elif not item.deferred:
            yield f"{module.rel}:{item.line} imports {item.name} on import: move it into the function"


def slots_have_one_door(module: Module) -> Iterator[str]:
    """`.layers`, `.varm`, `.obsm` and `.uns` occur in `_store.py` and `ds/` only"""
    if module.rel == "_store.py" or module.room == "ds":
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in SLOTS:
            yield f"{module.rel}:{node.lineno} touches .{node.attr}: use _store"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"getattr", "setattr", "hasattr", "attrgetter"}:
            for slot in SLOTS & {str(a.value) for a in node.args if isinstance(a, ast.Constant)}:
                yield f"{module.rel}:{node.lineno} reaches .{slot} by its name: use _store"


def readers_do_not_compute(module: Module) -> Iterator[str]:
    """`pl`, `_report` and `_cli` import neither `_core` nor `_models`, and no statistics"""
    if module.room not in READERS:
        return
    for item in imports(module):
        if item.within("scpertbias._core") or item.within("scpertbias._models"):
            yield f"{module.rel}:{item.line} imports {item.name}: read a stored table instead"
        elif item.parts[0] in {"sklearn", "statsmodels"} or item.within("scipy.stats"):
            yield f"{module.rel}:{item.line} imports {item.name}: statistics belong in _core"


def others_privates_are_private(module: Module) -> Iterator[str]:
    """nothing imports a private module, or uses a private name, of another package"""
    aliases = set()
    for item in imports(module):
        if outside(item.parts) and any(map(private, item.parts)):
            yield f"{module.rel}:{item.line} imports {item.name}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            aliases |= {(a.asname or a.name).split(".")[0] for a in node.names if outside(a.name.split("."))}
    aliases -= {"sys", "os"}  # sys._getframe is how the standard library itself finds a caller
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and private(node.attr):
            root = ast.unparse(node.value).split(".")[0]
            if root in aliases:
                yield f"{module.rel}:{node.lineno} uses {ast.unparse(node)}"


def imports_run_downward(module: Module) -> Iterator[str]:
    """an import runs downward in the order of the rooms, or stays in its row"""
    for item in imports(module):
        room = item.parts[1] if item.within("scpertbias") and len(item.parts) > 1 else module.room
        if not room.startswith("__") and ROW.get(room, len(ROWS)) > ROW.get(module.room, -1):
            yield f"{module.rel}:{item.line} imports {item.name}, which is above {module.room}"


def definitions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every name that a module gives to something: functions, classes, parameters, variables, attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr, node.lineno
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname, getattr(node, "lineno", 0)


def names_say_what_a_thing_is(module: Module) -> Iterator[str]:
    """no participle or pronoun as a name, and none of the names that were given up"""
    stem = Path(module.rel).stem
    if stem in RETIRED_MODULES:
        yield f"{module.rel}: {stem} was given up as the name of a module"
    for name, line in definitions(module.tree):
        if name.strip("_") in VAGUE | RETIRED:
            yield f"{module.rel}:{line} names something {name!r}"


def files_are_read_in_a_sitting(module: Module) -> Iterator[str]:
    """no file is longer than 300 lines"""
    if (lines := module.text.count("\n")) > MAX_FILE:
        yield f"{module.rel} has {lines} lines (the grain is about 250): split it by concept"


def bodies_are_seen_at_once(module: Module) -> Iterator[str]:
    """no function is longer than 70 lines without its docstring"""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            doc = ast.get_docstring(node, clean=False)
            body = (node.end_lineno or node.lineno) - node.lineno - (doc.count("\n") + 1 if doc else 0)
            if body > MAX_BODY:
                yield f"{module.rel}:{node.lineno} {node.name} has {body} lines (the grain is about 60)"


def nothing_is_left_for_later(module: Module) -> Iterator[str]:
    """no TODO, FIXME, XXX or NotImplementedError"""
    for match in re.finditer(r"(?i)\b(?:todo|fixme|xxx)\b|NotImplementedError", module.text):
        yield f"{module.rel}:{module.text.count(chr(10), 0, match.start()) + 1} says {match.group(0)}"


def inputs_are_validated_by_errors(module: Module) -> Iterator[str]:
    """no assert (it vanishes under -O) and no bare except"""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Assert):
            yield f"{module.rel}:{node.lineno} asserts: raise a ValueError, KeyError or TypeError"
        elif isinstance(node, ast.ExceptHandler) and node.type is None:
            yield f"{module.rel}:{node.lineno} has a bare except: name the exception"


def nothing_global_is_set(module: Module) -> Iterator[str]:
    """warning filters, logging and the global random state are the user's"""
    forbidden = re.compile(
        r"(logging\.)?basicConfig|(np|numpy)\.random\.(seed|set_state)|random\.seed"
        r"|warnings\.(filterwarnings|simplefilter|resetwarnings)|(np|numpy)\.(seterr|set_printoptions)"
    )
    managed = {
        call
        for node in ast.walk(module.tree)
        if any("catch_warnings" in ast.unparse(part) for part in _managers(node))
        for call in ast.walk(node)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and forbidden.fullmatch(name := ast.unparse(node.func)) and node not in managed:
            yield f"{module.rel}:{node.lineno} calls {name}"


def einsums_are_explained(module: Module) -> Iterator[str]:
    """a comment directly above a statement with einsum says what the product is"""
    lines = module.text.splitlines()
    statements = [node for node in ast.walk(module.tree) if isinstance(node, ast.stmt)]
    for call in ast.walk(module.tree):
        if not (isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[-1] == "einsum"):
            continue
        start = max(
            node.lineno for node in statements if node.lineno <= call.lineno <= (node.end_lineno or node.lineno)
        )
        if start < 2 or not lines[start - 2].lstrip().startswith("#"):
            yield f"{module.rel}:{call.lineno} einsum has no comment above it: say what the product is, and its shape"


def loops_run_on_our_threads(module: Module) -> Iterator[str]:
    """no loop is compiled for numba's threads, which abort the process where OpenMP is missing: see _core/threads.py"""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.keyword) and node.arg == "parallel":
            yield f"{module.rel}:{node.value.lineno} compiles with parallel=: hand the loop to threads.run"
        elif isinstance(node, ast.Attribute | ast.Name | ast.alias) and ast.unparse(node).split(".")[-1] == "prange":
            yield f"{module.rel}:{node.lineno} uses prange: hand the loop to threads.run"


def _managers(node: ast.AST) -> list[ast.expr]:
    """What a with statement enters, or a class (which may be a context manager) inherits from."""
    if isinstance(node, ast.With):
        return [item.context_expr for item in node.items]
    return node.bases if isinstance(node, ast.ClassDef) else []


def modules_have_their_tests(module: Module) -> Iterator[str]:
    """every module has its test file: `pp/_split.py` has `tests/pp/test_split.py`"""
    *rooms, name = Path(module.rel).with_suffix("").parts
    if name in UNTESTED:
        return
    test = Path("tests", *(room.lstrip("_") for room in rooms), f"test_{name.lstrip('_')}.py")
    if not (ROOT / test).exists():
        yield f"{module.rel} has no {test.as_posix()}"


RULES: list[Callable[[Module], Iterator[str]]] = [
    core_imports_arrays_only,
    deep_stacks_stay_deep,
    slots_have_one_door,
    readers_do_not_compute,
    others_privates_are_private,
    imports_run_downward,
    names_say_what_a_thing_is,
    files_are_read_in_a_sitting,
    bodies_are_seen_at_once,
    nothing_is_left_for_later,
    inputs_are_validated_by_errors,
    nothing_global_is_set,
    einsums_are_explained,
    loops_run_on_our_threads,
    modules_have_their_tests,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_house(rule):
    assert MODULES, f"no module found under {SRC}"
    broken = [line for module in MODULES for line in rule(module)]
    if broken:
        pytest.fail(f"The rule is: {rule.__doc__}.\n" + "\n".join(f"  {line}" for line in broken), pytrace=False)


# A module that breaks each rule, so that a rule that finds nothing is known to look.
BROKEN = [
    (core_imports_arrays_only, "_core/x.py", "import pandas", 1),
    (core_imports_arrays_only, "_core/x.py", "from .._store import write", 1),
    (
        core_imports_arrays_only,
        "_core/x.py",
        "from . import y\nfrom .y import z\nimport numpy.typing as npt\nimport math",
        0,
    ),
    (core_imports_arrays_only, "pp/_x.py", "import pandas", 0),
    (deep_stacks_stay_deep, "tl/_x.py", "def f():\n    import torch", 1),
    (deep_stacks_stay_deep, "_models/deep/x.py", "from torch import nn", 1),
    (deep_stacks_stay_deep, "_models/deep/x.py", "def f():\n    import torch\n    from gears.model import M", 0),
    (deep_stacks_stay_deep, "_compat.py", "import importlib\nimportlib.import_module('torch')", 1),
    (slots_have_one_door, "tl/_x.py", "def f(a):\n    return a.uns['k'], getattr(a, 'varm'), a.obs", 2),
    (slots_have_one_door, "_store.py", "def f(a):\n    return a.uns", 0),
    (slots_have_one_door, "ds/_x.py", "def f(a):\n    return a.layers", 0),
    (readers_do_not_compute, "pl/_x.py", "from .._core.metrics import l2", 1),
    (readers_do_not_compute, "_cli.py", "from . import _models", 1),
    (readers_do_not_compute, "_report/x.py", "from scipy import stats", 1),
    (readers_do_not_compute, "pl/_x.py", "from .. import get\nfrom ..tl import score", 0),
    (others_privates_are_private, "pp/_x.py", "from anndata._core import views", 1),
    (others_privates_are_private, "pp/_x.py", "import scanpy as sc\nsc._utils.x()", 1),
    (
        others_privates_are_private,
        "pp/_x.py",
        "from __future__ import annotations\nfrom .._docs import d\nimport numpy as np",
        0,
    ),
    (imports_run_downward, "_core/x.py", "from scpertbias._moments import screen", 1),
    (imports_run_downward, "get/_x.py", "def f():\n    from ..tl import score", 1),
    (imports_run_downward, "no_such_room/x.py", "import scpertbias.get", 1),
    (imports_run_downward, "tl/_x.py", "from .. import _store, get\nfrom . import _score", 0),
    (names_say_what_a_thing_is, "tl/_lean.py", "", 1),
    (names_say_what_a_thing_is, "x.py", "class Scene: ...\ndef f(wanted): ...\n_found, rows = 1, 2\nself.made = 3", 4),
    (names_say_what_a_thing_is, "x.py", "import a as brought\nfor said in []: pass", 2),
    (names_say_what_a_thing_is, "x.py", "n_found = found.sum()\nf(made=1)", 0),
    (files_are_read_in_a_sitting, "x.py", "\n" * 301, 1),
    (bodies_are_seen_at_once, "x.py", "def f():\n" + "    pass\n" * 71, 1),
    (bodies_are_seen_at_once, "x.py", 'def f():\n    """d' + "\n" * 80 + '    """\n' + "    pass\n" * 60, 0),
    (nothing_is_left_for_later, "x.py", "# TODO later", 1),
    (nothing_is_left_for_later, "x.py", "raise NotImplementedError", 1),
    (inputs_are_validated_by_errors, "x.py", "assert 1\ntry:\n    pass\nexcept:\n    pass", 2),
    (nothing_global_is_set, "x.py", "import warnings\nwarnings.simplefilter('ignore')", 1),
    (nothing_global_is_set, "x.py", "with warnings.catch_warnings():\n    warnings.simplefilter('ignore')", 0),
    (
        nothing_global_is_set,
        "x.py",
        "class Q(warnings.catch_warnings):\n    f = lambda: warnings.simplefilter('ignore')",
        0,
    ),
    (einsums_are_explained, "_core/x.py", "def f(x):\n    return np.einsum('ij->i', x)", 1),
    (einsums_are_explained, "_core/x.py", "# row sums (i,)\ny = (\n    np.einsum('ij->i', x)\n)", 0),
    (loops_run_on_our_threads, "_core/x.py", "@nb.njit(parallel=True)\ndef f(n):\n    for i in nb.prange(n): ...", 2),
    (loops_run_on_our_threads, "_core/x.py", "from numba import prange\n@nb.njit(nogil=True)\ndef f(): ...", 1),
    (modules_have_their_tests, "_core/no_such_module.py", "", 1),
    (modules_have_their_tests, "pp/__init__.py", "", 0),
]


@pytest.mark.parametrize(
    ("rule", "rel", "text", "n"), BROKEN, ids=[f"{r.__name__}-{i}" for i, (r, *_) in enumerate(BROKEN)]
)
def test_rule_sees(rule, rel, text, n):
    found = list(rule(Module(SRC / rel, text, ast.parse(text))))
    assert len(found) == n, found


def within_package(name: str, modules: dict[str, Module]) -> str | None:
    """The module of the package that an absolute name lies in."""
    parts = name.split(".")
    candidates = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((candidate for candidate in candidates if candidate in modules), None)


def dotted(module: Module) -> str:
    return ".".join(["scpertbias", *Path(module.rel).with_suffix("").parts]).removesuffix(".__init__")


def circles(modules: list[Module]) -> list[list[str]]:
    """Strongly connected parts of the graph of imports; what only type checkers import is no edge."""
    by_name = {dotted(module): module for module in modules}
    targets = {name: set() for name in by_name}
    for name, module in by_name.items():
        for item in imports(module):
            target = within_package(item.name, by_name)
            if target not in (None, name) and not item.for_types:
                targets[name].add(target)
    n, rows, columns = len(by_name), [], []
    number = {name: i for i, name in enumerate(by_name)}
    for name, others in targets.items():
        rows += [number[name]] * len(others)
        columns += [number[other] for other in others]
    graph = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(n, n))
    _, part = csgraph.connected_components(graph, connection="strong")
    names = np.array(list(by_name))
    return [names[part == k].tolist() for k in np.flatnonzero(np.bincount(part) > 1)]


def test_no_circle_of_imports():
    assert circles(MODULES) == []


def test_a_circle_is_seen():
    texts = {"_x.py": "from . import _y", "_y.py": "def f():\n    from ._x import g", "_z.py": "from ._y import f"}
    modules = [Module(SRC / rel, text, ast.parse(text)) for rel, text in texts.items()]
    assert circles(modules) == [["scpertbias._x", "scpertbias._y"]]


def test_one_class_one_name():
    places: dict[str, list[str]] = {}
    for module in MODULES:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name.lstrip("_"), []).append(module.rel)
    twice = {name: rels for name, rels in places.items() if len(rels) > 1}
    assert not twice, f"one name, one thing; rename all but one of {twice}"


def committed_texts() -> list[Path]:
    kinds = {".py", ".md", ".toml", ".yml", ".yaml", ".ipynb", ".cff", ".txt", ".bib"}
    places = [ROOT / name for name in ("src", "tests", "docs", "tutorials", "benchmarks", ".github")]
    paths = [path for place in places for path in place.rglob("*") if "_build" not in path.parts]
    return [path for path in [*ROOT.iterdir(), *paths] if path.is_file() and path.suffix in kinds]


def test_no_path_of_one_machine():
    paths = re.compile(r"(?<![\w.~:/-])/(?:work|home|root|Users|tmp)/\w")
    hits = [str(path.relative_to(ROOT)) for path in committed_texts() if paths.search(path.read_text(encoding="utf-8"))]
    assert not hits, f"these hold a path of somebody's machine: {hits}"


def test_ci_entry():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK), ".ci/run is not executable"
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    assert "make test" in script.read_text(encoding="utf-8")
