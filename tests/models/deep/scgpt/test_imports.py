import logging
import subprocess
import sys
import types

import pytest

from scpertbias._models.deep.scgpt import imports as package

pytestmark = pytest.mark.scgpt


def test_the_real_class_and_no_stand_in_is_left():
    code = (
        "import logging, sys, warnings\n"
        "warnings.simplefilter('error')\n"
        "import scpertbias\n"
        "from scpertbias._models.deep.scgpt.imports import scgpt_model\n"
        "model = scgpt_model().TransformerGenerator\n"
        "assert model.__module__ == 'scgpt.model.generation_model', model\n"
        "assert scgpt_model().TransformerGenerator is model\n"
        "roots = {name.split('.')[0] for name in sys.modules}\n"
        "assert 'torchtext' not in roots and 'scgpt' not in roots, roots & {'torchtext', 'scgpt'}\n"
        "assert logging.getLogger('scGPT').handlers == []\n"
        "assert logging.getLogger('scGPT').propagate\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout == ""


def test_one_that_can_be_imported_is_left_alone(monkeypatch):
    own = types.ModuleType("datasets")
    monkeypatch.setitem(sys.modules, "datasets", own)
    with package._stand_ins() as used:
        assert "datasets" not in used
        assert sys.modules["datasets"] is own
    assert sys.modules["datasets"] is own


def test_what_a_failed_import_leaves_is_removed(tmp_path, monkeypatch):
    broken = tmp_path / "torchtext"
    broken.mkdir()
    (broken / "__init__.py").write_text("from . import part\nraise OSError('undefined symbol')\n")
    (broken / "part.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert not package._works("torchtext")
    assert not [name for name in sys.modules if name.startswith("torchtext")]
    with package._stand_ins() as used:
        assert "torchtext.vocab" in used
        import torchtext.vocab

        assert torchtext.vocab.Vocab.__name__ == "Vocab"
    assert not [name for name in sys.modules if name.startswith("torchtext")]


def test_stand_ins_go_when_the_import_fails():
    before = set(sys.modules)
    message = "cut off"
    with pytest.raises(ImportError, match=message), package._stand_ins():
        raise ImportError(message)
    assert set(sys.modules) == before


def test_the_error_gives_the_two_lines(monkeypatch):
    monkeypatch.setattr(package.importlib, "import_module", _refuse)
    with pytest.raises(ImportError, match="pip install --no-deps scgpt==0.2.4"):
        package.scgpt_model.__wrapped__()
    assert logging.getLogger("scGPT").propagate


def _refuse(name):
    msg = f"No module named {name!r}"
    raise ImportError(msg)
