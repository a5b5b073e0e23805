from pathlib import Path

import pytest

from scpertbias._cli.options import parser


def test_compare_takes_audits_and_a_name_for_each():
    args = parser().parse_args(["compare", "a", "b/audit.json", "--names", "x, y", "--names", "z"])
    assert args.audits == [Path("a"), Path("b/audit.json")]
    assert args.names == ["x, y", "z"], "a name may hold a comma"
    assert args.out == Path("compare.html")
    assert not args.force


def test_report_takes_one_audit(capsys):
    args = parser().parse_args(["report", "audit.h5mu", "--title", "K562"])
    assert (args.file, args.out, args.title) == (Path("audit.h5mu"), None, "K562")
    with pytest.raises(SystemExit):
        parser().parse_args(["report"])
    assert "FILE" in capsys.readouterr().err
