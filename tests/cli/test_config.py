"""A file of options: what it may say, that flags win, and that what an audit writes repeats it."""

import tomllib

import pytest

from scpertbias._cli.config import as_toml, parsed

EVERYTHING = [
    *(
        "--groupby",
        "gene",
        "--reference",
        "a,b",
        "--reference",
        'non "targeting"*',
        "--batch",
        '"s, x",t',
        "--batch",
        "u v",
    ),
    *(
        "--min-cells",
        "5",
        "--target-sum",
        "1e-5",
        "--memory",
        "inf",
        "--seed",
        "7",
        "--tables-only",
        "--title=-é\\\x7f😀\n",
    ),
    *("--params", "ridge.alpha=1.5", "--params", "ridge.coding=reference", "--predictions", "mine=p.csv"),
    *("--models", "mean,ridge", "--regimes", "full", "--covariates", "a,b", "--test", "X,Y"),
    *("--cache", "parts", "--net", "net.csv", "--kind", "delta", "--n-folds", "3"),
]


@pytest.fixture
def config(tmp_path):
    """Write a file of options, and read a command line that names it."""

    def read(text, *flags):
        (tmp_path / "c.toml").write_text(text, encoding="utf-8")
        return parsed(["audit", "x.h5ad", "--config", str(tmp_path / "c.toml"), *flags])

    return read


def options(args):
    return {name: value for name, value in vars(args).items() if name != "config"}


@pytest.mark.parametrize("flags", [[], EVERYTHING])
def test_what_is_written_repeats_the_audit(config, flags):
    args = parsed(["audit", "x.h5ad", *flags])
    assert options(config(as_toml(args))) == options(args)
    assert as_toml(config(as_toml(args))) == as_toml(args)


def test_where_to_write_is_not_stored():
    args = parsed(["audit", "x.h5ad", "--out", "o", "--force", "--quiet", "--dry-run", "-v"])
    assert not {"out", "force", "quiet", "dry-run", "verbose", "config", "file", "help"} & set(
        tomllib.loads(as_toml(args))
    )


def test_flags_win(config):
    text = 'seed = 3\nbatch = ["a", "b"]\nmodels = "mean"\nkind = "delta"\ntables-only = true\nmin-cells = 9\nquiet = false'
    args = config(text, "--seed", "0", "--batch", "c", "--kind", "expression")
    assert (args.seed, args.batch, args.kind) == (0, ["c"], "expression"), "also where a flag repeats the default"
    assert (args.models, args.tables_only, args.min_cells, args.quiet) == (["mean"], True, 9, False)
    assert (args.command, str(args.file), args.split_key) == ("audit", "x.h5ad", "split")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("min_cells = 5", "'min_cells' is not an option; did you mean 'min-cells'?"),
        ("sede = 5", "did you mean 'seed'?"),
        ("zzz = 5", "'zzz' is not an option"),
        ("config = 'x'", "'config' is not an option"),
        ("seed = 'a'", "--seed: invalid int value: 'a'"),
        ("seed = true", "seed must be a text or a number"),
        ("layer = ['a']", "layer must be a text or a number"),
        ("batch = [['a']]", "batch must be a text or a number, or a list of them"),
        ("force = 1", "force must be true or false"),
        ("[batch]\na = 1", "batch must be"),
        ("seed = ", "c.toml: "),
    ],
)
def test_what_is_wrong_is_said(config, capsys, text, words):
    with pytest.raises(SystemExit) as stop:
        config(text)
    assert stop.value.code == 2
    assert words in capsys.readouterr().err


def test_a_file_that_is_missing(capsys):
    with pytest.raises(SystemExit) as stop:
        parsed(["audit", "x.h5ad", "--config", "no.toml"])
    assert stop.value.code == 2
    assert "no.toml does not exist" in capsys.readouterr().err
