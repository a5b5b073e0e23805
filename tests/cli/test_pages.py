import pytest

from scpertbias import _compat
from scpertbias._cli.main import main
from scpertbias._report import to_json


@pytest.fixture(scope="module")
def folder(small_audit, tmp_path_factory):
    root = tmp_path_factory.mktemp("stored")
    for name in ("a", "b"):
        (root / name).mkdir()
        (root / name / "audit.json").write_text(to_json(small_audit), encoding="utf-8")
    _compat.write_h5mu(small_audit, str(root / "audit.h5mu"))
    return root


def test_compare(folder, tmp_path, capsys):
    out = tmp_path / "page.html"
    command = [
        "compare",
        str(folder / "a"),
        str(folder / "b"),
        "--out",
        str(out),
        "--names",
        "first",
        "--names",
        "second",
    ]
    assert main(command) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert '<p class="of">second</p>' in out.read_text(encoding="utf-8")
    assert main(command) == 2
    assert "exists; pass --force" in capsys.readouterr().err
    assert main([*command, "--force", "--title", "Two"]) == 0
    assert "<h1>Two</h1>" in out.read_text(encoding="utf-8")


def test_compare_refuses(folder, tmp_path, capsys):
    out = ["--out", str(tmp_path / "page.html")]
    assert main(["compare", str(folder / "a"), *out]) == 2
    assert "needs two or more" in capsys.readouterr().err
    for other in ("nowhere", str(folder), str(folder / "a")):
        code = main(["compare", str(folder / "a"), other, *out])
        err = capsys.readouterr().err
        assert code == (0 if other == str(folder) else 1), err
        (tmp_path / "page.html").unlink(missing_ok=True)
    assert main(["compare", str(folder / "a"), str(folder / "b"), "--names", "x", *out]) == 1
    assert "--names are ['x']" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


def test_report_again(folder, tmp_path, capsys):
    out = tmp_path / "again.html"
    command = ["report", str(folder / "audit.h5mu"), "--out", str(out)]
    assert main(command) == 0
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert main(command) == 2
    assert "exists; pass --force" in capsys.readouterr().err
