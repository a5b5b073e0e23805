"""Several audits on one page: what is read, what is refused, what stands there."""

import json
import re

import pytest

import scpertbias as spb
from scpertbias import _compat
from scpertbias._report import compare, to_json
from scpertbias._report.compare_page import render


@pytest.fixture(scope="module")
def other():
    cells = spb.ds.simulate(1_500, 150, 12, rng=3)
    return spb.tl.audit(cells, models=("mean",), regimes=("full",), n_random=0)


@pytest.fixture(scope="module")
def folder(small_audit, other, tmp_path_factory):
    """Two audits as the command line writes them, the second as a file alone."""
    root = tmp_path_factory.mktemp("audits")
    (root / "thp1").mkdir()
    (root / "thp1" / "audit.json").write_text(to_json(small_audit), encoding="utf-8")
    _compat.write_h5mu(other, str(root / "k562.h5mu"))
    return root


def test_folders_files_and_data_give_the_same_page(small_audit, other, folder, tmp_path):
    path = tmp_path / "compare.html"
    compare([folder / "thp1", folder / "k562.h5mu"], path)
    page = path.read_text(encoding="utf-8")
    assert page == render([folder / "thp1" / "audit.json", str(folder / "k562.h5mu")])
    assert page == render([small_audit, other], names=["thp1", "k562"])
    assert page == render([small_audit, folder / "k562.h5mu"], names=["thp1", "k562"])
    assert "<h1>Comparison of 2 audits</h1>" in page


def test_verdicts_stand_side_by_side(small_audit, other):
    page = render([small_audit, other], names=["thp1", "k562"], title="A & B")
    assert "<h1>A &amp; B</h1>" in page
    for question in ("Did the perturbations work?", "Is the response shared?", "Which model to trust?"):
        block = page[page.index(question) :]
        block = block[: block.index("<h2>")]
        assert re.findall(r'<p class="of">(.*?)</p>', block) == ["thp1", "k562"]
    assert page.count('<article class="tile') == 10


def test_the_page_loads_nothing_and_its_data_parse(small_audit, other):
    page = render([small_audit, other], names=["</script><b>", "k562"])
    assert (
        "</script><b>"
        not in page.replace("&lt;", "<").split('<script type="application/json"')[1].split("</script>")[0]
    )
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, flags=re.DOTALL)[1])
    assert "forest" in data["figures"]
    assert "default-src 'none'" in page
    assert not re.search(r'(?:src|href)="(?!#)', page)


def test_names(small_audit, other, folder):
    page = render([small_audit, other])
    assert "Perturb-seq audit (1)" in page
    assert "Perturb-seq audit (2)" in page
    for names in (["a"], ["a", "a"], ["a", ""]):
        with pytest.raises(ValueError, match="`names` are .*; pass 2 different names"):
            render([small_audit, other], names=names)


def test_wrong_inputs(small_audit, folder, tmp_path):
    with pytest.raises(ValueError, match="two audits or more"):
        render([small_audit])
    with pytest.raises(ValueError, match="two audits or more"):
        render("ab")
    with pytest.raises(ValueError, match="The same audit is passed twice: .*thp1"):
        render([folder / "thp1", folder / "thp1"])
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        render([small_audit, tmp_path / "nowhere"])
    with pytest.raises(ValueError, match="contains no audit: it has neither audit.json nor audit.h5mu"):
        render([small_audit, tmp_path])
    wrong = {
        "x.txt": ("text", "x.txt is not an audit"),
        "cut.json": ('{"schema": ', "cut.json cannot be read"),
        "list.json": ("[]", "its schema is None"),
        "old.json": ('{"schema": "scpertbias/audit/0"}', "reads only 'scpertbias/audit/1'"),
        "part.json": ('{"schema": "scpertbias/audit/1", "title": ""}', "the file has no answer, scorecard, tables"),
        "x.h5mu": ("text", "x.h5mu cannot be read"),
    }
    for name, (text, message) in wrong.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            render([small_audit, tmp_path / name])


def test_an_audit_that_does_not_answer_a_question(small_audit, folder, tmp_path):
    contents = json.loads(to_json(small_audit))
    contents["answer"] = [verdict for verdict in contents["answer"] if verdict["name"] not in ("models", "shared")]
    contents |= {"scorecard": [], "drawn": []}
    (tmp_path / "bare.json").write_text(json.dumps(contents), encoding="utf-8")
    page = render([folder / "thp1", tmp_path / "bare.json"])
    assert page.count("This audit contains no model.") == 2
    assert "Skills of bare are not compared, because this audit contains no model." in page
