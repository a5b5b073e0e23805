"""An inspection on the command line."""

import argparse

import pytest

import scpertbias as spb
from scpertbias._cli.inspection import echo_inspection, print_inspection


@pytest.fixture
def args(tmp_path):
    spb.ds.papalexi_2021().write_h5ad(tmp_path / "x.h5ad")
    options = {"groupby": None, "reference": None, "combination_sep": None, "label_map": None, "modality": None}
    return argparse.Namespace(file=tmp_path / "x.h5ad", **options)


def test_print(args, capsys):
    assert print_inspection(args) == 0
    said = capsys.readouterr()
    assert "--batch bio_rep --guide guide" in said.out
    assert said.err == ""


def test_echo(args, capsys):
    echo_inspection(args)
    said = capsys.readouterr()
    assert said.out == ""
    assert "1 control, 25 targets" in said.err
    assert "scpertbias audit" not in said.err


def test_echo_leaves_errors_to_the_audit(args, capsys):
    args.groupby = "no"
    echo_inspection(args)
    args.file = args.file.with_name("no.h5ad")
    echo_inspection(args)
    assert capsys.readouterr().err == ""
