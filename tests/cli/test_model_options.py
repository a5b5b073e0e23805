from pathlib import Path

import pytest

from scpertbias._cli.options import parser


def audit(*argv):
    return parser().parse_args(["audit", "x.h5ad", *argv])


def test_values_of_models():
    args = audit("--predictions", "mine@no_mt=a.csv", "--params", "ridge.alpha=2", "--train", "own=run {cells}")
    assert args.predictions == [("mine@no_mt", Path("a.csv"))]
    assert args.params == [("ridge", "alpha", 2)]
    assert args.train == [("own", "run {cells}")]


@pytest.mark.parametrize(("flag", "default"), [("kind", "expression"), ("control", "observed"), ("fitted-on", "this")])
def test_choices_of_predictions(flag, default, capsys):
    assert vars(audit())[flag.replace("-", "_")] == default
    with pytest.raises(SystemExit):
        audit(f"--{flag}", "something")
    assert f"argument --{flag}" in capsys.readouterr().err
