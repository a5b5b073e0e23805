import inspect
import shlex

import pytest

import scpertbias as spb
from scpertbias._cli.options import EXAMPLES, EXIT_CODES, parser
from scpertbias._cli.values import as_name

COMMANDS = ("inspect", "audit", "export", "report", "compare", "demo", "schema")


@pytest.mark.parametrize("argv", [[], *([name] for name in COMMANDS)], ids=["", *COMMANDS])
def test_help_has_examples_and_exit_codes(argv, capsys):
    with pytest.raises(SystemExit) as stopped:
        parser().parse_args([*argv, "--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert EXAMPLES[argv[0] if argv else ""] in shown
    assert EXIT_CODES in shown


def test_examples_are_understood():
    lines = [line.strip() for text in EXAMPLES.values() for line in text.splitlines()[1:]]
    assert len(lines) > 10
    for line in lines:
        program, *argv = shlex.split(line.split(" > ")[0], comments=True)
        assert program == "scpertbias"
        assert parser().parse_args(argv).command in COMMANDS


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["audit"],
        ["audit", "x.h5ad", "--no-such"],
        ["audit", "x.h5ad", "--seed", "a"],
        ["audit", "x.h5ad", "--memory", "-1"],
    ],
)
def test_usage(argv, capsys):
    with pytest.raises(SystemExit) as stopped:
        parser().parse_args(argv)
    assert stopped.value.code == 2
    assert "usage: scpertbias" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["models", "regimes", "batch", "covariates"])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a,b"], ["a", "b"]),
        (["a, b", "c"], ["a", "b", "c"]),
        (['"a,b",c'], ["a,b", "c"]),
        (['a "b"'], ['a "b"']),
    ],
)
def test_names_with_commas(flag, words, expected):
    argv = [f"--{flag}={word}" for word in words]
    assert vars(parser().parse_args(["audit", "x.h5ad", *argv]))[flag] == expected


@pytest.mark.parametrize("text", ["", "a,", "a\nb,\nc"])
def test_an_empty_name_is_refused(text, capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["audit", "x.h5ad", "--models", text])
    assert "argument --models" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["reference", "test"])
def test_labels_keep_their_commas(flag):
    args = vars(parser().parse_args(["audit", "x.h5ad", f"--{flag}", "A,B", f"--{flag}", "C"]))
    assert args[flag] == ["A,B", "C"]


@pytest.mark.parametrize("text", ["a", "a,b", 'a"b', '"a", b', '"'])
def test_a_name_is_written_so_that_it_is_read(text):
    assert parser().parse_args(["audit", "x.h5ad", f"--batch={as_name(text)}"]).batch == [text]


def test_defaults_are_those_of_the_audit():
    args = vars(parser().parse_args(["audit", "x.h5ad"]))
    defaults = {name: p.default for name, p in inspect.signature(spb.tl.audit).parameters.items()}
    assert {name: args[name] for name in ("groupby", "min_cells", "target_sum")} == {
        name: defaults[name] for name in ("groupby", "min_cells", "target_sum")
    }
    assert args["seed"] == defaults["rng"]
