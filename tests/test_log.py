import io
import logging
import subprocess
import sys
import types
import warnings
from pathlib import Path

import pytest
import scanpy as sc

from scpertbias import _log


@pytest.fixture
def lines():
    """What scanpy writes."""
    before = sc.settings.logfile
    sc.settings.logfile = io.StringIO()
    yield sc.settings.logfile
    sc.settings.logfile = before


@pytest.mark.parametrize(("verbosity", "shown"), [(0, False), (1, False), (2, True), (3, True)])
def test_info_from_verbosity_2(lines, verbosity, shown):
    sc.settings.verbosity = verbosity
    _log.info("so many cells")
    assert ("so many cells" in lines.getvalue()) is shown


@pytest.mark.parametrize(("verbosity", "shown"), [(2, False), (3, True)])
def test_added_from_verbosity_3(lines, verbosity, shown):
    sc.settings.verbosity = verbosity
    _log.added("'ridge', 3 × 2 (adata.layers)", "'x'")
    assert ("added\n" in lines.getvalue()) is shown


def test_the_package_has_a_logger(caplog):
    with caplog.at_level(logging.DEBUG, logger="scpertbias"):
        _log.info("one")
        _log.added("two")
    assert [record.message for record in caplog.records] == ["one", "added\n    two"]


def test_a_warning_points_at_the_users_line():
    with pytest.warns(UserWarning, match="careful") as caught:
        _log.warn("careful")
    assert Path(caught[0].filename) == Path(__file__)


def test_a_warning_from_deep_inside_points_at_the_users_line():
    inside = types.ModuleType("scpertbias.deep")
    inside.warn = _log.warn
    exec("def one():\n    two()\ndef two():\n    warn('deep')", vars(inside))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        inside.one()
    assert Path(caught[0].filename) == Path(__file__)


def test_other_packages_are_not_inside():
    other = types.ModuleType("scpertbias_extra")
    other.warn = _log.warn
    exec(compile("def one():\n    warn('x')", "extra.py", "exec"), vars(other))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        other.one()
    assert caught[0].filename == "extra.py"


@pytest.mark.parametrize(("verbosity", "shown"), [(0, False), (1, True)])
def test_bars_from_verbosity_1(capsys, verbosity, shown):
    sc.settings.verbosity = verbosity
    with _log.progress("fits", 2) as bar:
        bar.update()
    assert ("fits" in capsys.readouterr().err) is shown


def test_importing_the_package_does_not_ask_for_widgets():
    code = "import sys, anndata, mudata, scanpy; theirs = set(sys.modules); import scpertbias; scpertbias.report; scpertbias.tl; "
    code += "sys.exit('tqdm.auto' in set(sys.modules) - theirs)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_some_names():
    assert _log.some([]) == ""
    assert _log.some(["a", 2]) == "a, 2"
    assert _log.some("abcdef") == "a, b, c, d, e, …"
    assert _log.some(iter("abc"), 2) == "a, b, …"


def test_a_thing_is_warned_of_once():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with _log.warn_once():
            _log.warn("a")
            with _log.warn_once():  # a step that does the same
                _log.warn("a")
                _log.warn("b")
            _log.warn("b")
        _log.warn("a")
    assert [str(w.message) for w in caught] == ["a", "b", "a"]


def test_nothing_is_said_before_scanpy_is_there():
    code = "from scpertbias import _log; import sys; _log.info('x'); _log.added('y'); sys.exit('scanpy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
