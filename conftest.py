"""What holds for every test and for every example in a docstring."""

import os
import re
import sys
from importlib.metadata import PackageNotFoundError, distribution, requires

import hypothesis
import pytest
from packaging.requirements import Requirement

# "fixed": the same examples in every run; "search" (pytest --hypothesis-profile=search): many, and others each time.
hypothesis.settings.register_profile("fixed", max_examples=30, derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("search", max_examples=300, deadline=None)
hypothesis.settings.load_profile("fixed")

# Markers that name an extra, and what an extra needs beyond what it can declare.
EXTRA_MARKERS = ("gears", "scgpt")
UNDECLARED = {"scgpt": ["scgpt"]}

MISSING = "needs the extra "
SKIPPED_FOR_WANT = re.compile(f"{MISSING}|could not import")
SETTINGS = ("verbosity", "n_jobs", "autoshow", "datasetdir", "max_memory")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("numprocesses", default=None):
        # The workers, which start after this, share the processors: more threads only wait for each other.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        os.environ.setdefault("NUMBA_NUM_THREADS", "1")


def missing_of(extra: str) -> list[str]:
    """The distributions of an extra that are not installed."""
    names = list(UNDECLARED.get(extra, []))
    for line in requires("scpertbias") or []:
        requirement = Requirement(line)
        if (marker := requirement.marker) and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""}):
            names.append(requirement.name)
    if not names:
        msg = f"scpertbias has no extra {extra!r}; see [project.optional-dependencies] in pyproject.toml"
        raise pytest.UsageError(msg)
    return [name for name in names if not is_installed(name)]


def is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def pytest_runtest_setup(item: pytest.Item) -> None:
    extras = [extra for marker in item.iter_markers("needs") for extra in marker.args]
    extras += [name for name in EXTRA_MARKERS if item.get_closest_marker(name)]
    if isinstance(item, pytest.DoctestItem):
        extras += [name for name in EXTRA_MARKERS if f"fit_{name}(" in (item.dtest.docstring or "")]
    for extra in dict.fromkeys(extras):
        if missing := missing_of(extra):
            pytest.skip(f"{MISSING}{extra!r}: {', '.join(missing)} not installed")
    if set(extras) & set(EXTRA_MARKERS):
        import torch

        torch.set_num_threads(1)  # the workers share the processors; more threads only wait for each other


def fail_if_wanting(report: pytest.TestReport | pytest.CollectReport) -> None:
    """With SCPERTBIAS_NO_SKIP set, a skip for want of a package is a failure: `make test` tests everything."""
    if not (report.skipped and os.environ.get("SCPERTBIAS_NO_SKIP") and isinstance(report.longrepr, tuple)):
        return
    path, line, reason = report.longrepr
    if SKIPPED_FOR_WANT.search(reason):
        report.outcome = "failed"
        report.longrepr = f"{path}:{line}: {reason}\nSCPERTBIAS_NO_SKIP is set, so a missing package is a failure."


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    fail_if_wanting(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    report = yield
    fail_if_wanting(report)
    return report


@pytest.fixture(autouse=True)
def _clean_state():
    """No figure and no scanpy setting outlives its test; what a test does not import is not imported for it."""
    scanpy = sys.modules.get("scanpy")
    before = {name: getattr(scanpy.settings, name) for name in SETTINGS} if scanpy else {}
    yield
    for name, value in before.items():
        setattr(scanpy.settings, name, value)
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture(scope="session", autouse=True)
def _no_window():
    import matplotlib as mpl

    mpl.use("agg")


@pytest.fixture(autouse=True)
def _doctest_names(request: pytest.FixtureRequest):
    """Examples in docstrings may use `spb` without importing it."""
    if isinstance(request.node, pytest.DoctestItem):
        import scpertbias

        request.getfixturevalue("doctest_namespace")["spb"] = scpertbias
