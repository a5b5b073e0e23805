import warnings

import pytest
import scanpy as sc

from scpertbias._models.deep import extras


def test_what_is_missing_and_how_to_install_it(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "torch_geometric" else object())
    with pytest.raises(ImportError, match="fit_gears needs torch_geometric.*pip install cell-gears==0.1.2 torch"):
        extras.require("gears")
    extras.require("scgpt")
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="torch, scgpt.*no-deps scgpt"):
        extras.require("scgpt")


@pytest.mark.parametrize("extra", extras.NEEDED)
def test_the_command_names_packages_and_not_a_release_of_this_one(extra):
    command = extras.install_command(extra)
    assert "scpertbias" not in command
    for name in extras.NEEDED[extra]:
        assert name.replace("_", "-") in command


@pytest.mark.gears
def test_devices():
    import torch

    assert extras.pick_device(None).type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert extras.pick_device("cpu").type == "cpu"
    for wrong in ("gpu", "mps", "cuda:99"):
        with pytest.raises(ValueError, match="`device` is"):
            extras.pick_device(wrong)


@pytest.mark.gears
def test_randomness_is_the_users_again():
    import torch

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with extras.own_randomness(1):
        first = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with extras.own_randomness(1):
        assert torch.equal(torch.rand(3), first)


@pytest.mark.gears
def test_imports_leave_no_trace():
    import torch

    sc.settings.verbosity = 2
    filters, state = list(warnings.filters), torch.get_rng_state()
    with extras.imports_leave_no_trace():
        torch.manual_seed(0)
        sc.settings.verbosity = 0
        warnings.filterwarnings("ignore")
        warnings.warn("as some packages do on import", DeprecationWarning, stacklevel=1)
    assert int(sc.settings.verbosity) == 2
    assert warnings.filters == filters
    assert torch.equal(torch.get_rng_state(), state)
