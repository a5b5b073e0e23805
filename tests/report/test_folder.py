import pytest

from scpertbias._report._folder import objection, replace_file, whole_folder


def filled(folder):
    (folder / "tables").mkdir(parents=True)
    for name in ("audit.html", "audit.json", "audit.h5mu", "tables/check.csv"):
        (folder / name).write_text("earlier")
    return folder


def test_folder_appears_whole(tmp_path):
    out = tmp_path / "deep" / "out"
    with whole_folder(out) as folder:
        (folder / "audit.html").write_text("page")
        assert not out.exists()
        assert folder.parent == out.parent
    assert [p.name for p in out.iterdir()] == ["audit.html"]
    assert list(out.parent.iterdir()) == [out]


def test_folder_replaces_the_earlier_one(tmp_path):
    out = filled(tmp_path / "out")
    with whole_folder(out) as folder:
        (folder / "audit.html").write_text("page")
    assert [p.name for p in out.iterdir()] == ["audit.html"]
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_failure_leaves_the_earlier_folder(tmp_path, failure):
    out = filled(tmp_path / "out")

    def fail():
        with whole_folder(out) as folder:
            (folder / "audit.html").write_text("half")
            raise failure

    with pytest.raises(failure):
        fail()
    assert (out / "audit.html").read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
def test_failure_of_the_last_step_brings_the_earlier_folder_back(tmp_path, monkeypatch, failure):
    out = filled(tmp_path / "out")
    rename = type(out).rename

    def broken(self, target):
        if target == out and (self / "new").exists():
            raise failure
        return rename(self, target)

    monkeypatch.setattr(type(out), "rename", broken)

    def fail():
        with whole_folder(out) as folder:
            (folder / "new").write_text("")

    with pytest.raises(failure):
        fail()
    assert (out / "audit.html").read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [out]


def test_objections(tmp_path):
    assert objection(tmp_path / "none", force=False) is None
    assert objection(tmp_path, force=False) is None
    out = filled(tmp_path / "out")
    assert "is not empty" in objection(out, force=False)
    assert objection(out, force=True) is None
    assert "is a file" in objection(out / "audit.html", force=True)


@pytest.mark.parametrize("foreign", ["thesis.docx", "tables/notes.txt", "tables/deep/x.csv", "audit.html/x"])
def test_force_never_replaces_what_is_no_audit(tmp_path, foreign):
    out = filled(tmp_path / "out")
    (out / "audit.html").unlink()
    (out / foreign).parent.mkdir(exist_ok=True, parents=True)
    (out / foreign).write_text("mine")
    assert "no audit's" in objection(out, force=True)


def test_file_is_replaced_whole(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("earlier")
    with pytest.raises(UnicodeEncodeError):
        replace_file(path, "half \ud800")
    assert path.read_text() == "earlier"
    replace_file(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]
