import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _store
from scpertbias._report import report, to_json
from scpertbias._report.content import content
from scpertbias._report.page import digest, render, script

EVIL = "<img src=x onerror=alert(1)>"
VOID = {"meta", "link", "img", "br", "hr", "input", "wbr"}


class Page(HTMLParser):
    """Elements, ids, visible text; unbalanced tags are an error."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def page_data(text):
    """The JSON that the page's script reads, as it stands in the page."""
    return text.split('id="data">')[1].split("</script>")[0]


def data_of(text):
    return json.loads(page_data(text))


def headings(text):
    """The headings of the sections; those of the tiles are questions."""
    return re.findall(r"<section[^>]*>\n<h2>(.*?)</h2>", text)


@pytest.fixture
def page(audit, tmp_path):
    report(audit, tmp_path / "x.html", title="A screen")
    return (tmp_path / "x.html").read_text(encoding="utf-8")


def test_page_loads_nothing(page):
    assert not re.search(r"https?://|//[a-z]+\.[a-z]|@import|url\((?!#)", page)
    parsed = Page(page)
    assert not parsed.all("link") + parsed.all("img") + parsed.all("iframe")
    assert not [a for _, a in parsed.elements if "src" in a]
    assert all(a["href"].startswith("#") for _, a in parsed.elements if "href" in a)
    (policy,) = (a["content"] for a in parsed.all("meta") if "default-src" in a.get("content", ""))
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not [a for _, a in parsed.elements if "style" in a or any(name.startswith("on") for name in a)]


def test_page_is_well_made(page, audit):
    parsed = Page(page)
    ids = [a["id"] for _, a in parsed.elements if "id" in a]
    assert len(ids) == len(set(ids))
    links = {a["href"][1:] for a in parsed.all("a")}
    assert {link for link in links if "=" not in link} <= set(ids)
    names = {unquote(link.removeprefix("p=")) for link in links if "=" in link}
    assert names == set(spb.get.perturbations(audit)["perturbation"])
    assert {a["aria-labelledby"] for _, a in parsed.elements if "aria-labelledby" in a} <= set(ids)
    assert parsed.all("html")[0]["lang"] == "en"
    bars = [a for a in parsed.all("svg") if a.get("class") == "bar"]
    assert len(bars) <= 2, "constant predictions are one row"
    assert all(a["aria-hidden"] == "true" for a in parsed.all("svg")), "their numbers stand beside them"
    figures = [a["data-figure"] for a in parsed.all("figure")]
    assert len(figures) == len(set(figures)) > 10
    assert set(figures) == set(data_of(page)["figures"])
    data = [a for a in parsed.all("table") if a["class"] == "data"]
    assert {f"tools-{a['id']}" for a in data} <= set(ids)
    assert headings(page) == [
        "How the input was interpreted",
        "The screen",
        "Components of the response",
        "Models",
        "Are predictions specific to the perturbation?",
        "Over-predicted genes",
        "Attributions",
        "Retraining",
        "Provenance",
    ]


def test_page_says_what_the_json_says(page, audit):
    text = " ".join("".join(Page(page).text).split())
    made = json.loads(to_json(audit))
    sentences = [s for one in made["answer"] for s in (one, *one["sentences"], *one["details"])] + made["cautions"]
    sentences += [s for some in made["remarks"].values() for s in some]
    assert len(sentences) > 10
    for said in sentences:
        assert " ".join(said["text"].split()) in text
    for row in made["scorecard"]:
        assert row["model"] in text
        assert row["verdict"] in text
    for record in made["tables"]["check"]:
        assert record["perturbation"] in text
        assert record["detail"] in text
    for version in made["provenance"]["versions"].values():
        assert version in text


def test_names_are_never_markup(audit, tmp_path):
    check = spb.get.check(audit)
    named = check["check"] == "perturbation"
    check.loc[named, ["detail", "top_genes"]] = EVIL
    check.loc[named, "perturbation"] = [f"{EVIL}{i}" for i in range(named.sum())]
    perturbations = spb.get.perturbations(audit)
    perturbations[["top_genes", "target_gene"]] = EVIL
    perturbations["perturbation"] = [f"{EVIL}{i}" for i in range(len(perturbations))]
    left_out = pd.DataFrame({"model": [EVIL], "regime": ["full"], "reason": [EVIL]})
    summary = spb.get.summary(audit)
    summary["model"] = summary["model"].replace("ridge", EVIL)
    scores = spb.get.scores(audit)
    scores["model"] = scores["model"].replace("ridge", EVIL)
    _store.put(
        audit,
        check=check,
        perturbations=perturbations,
        models_left_out=left_out,
        summary=summary,
        scores=scores,
        report={"warnings": [EVIL], "command": EVIL, "input": EVIL, "versions": {"x": EVIL}},
    )
    truth = pd.DataFrame({"quantity": [EVIL], "planted": ["</script><script>"], "found": ["x"]})
    path = tmp_path / "x.html"
    report(audit, path, title=f"</title>{EVIL}", truth=truth)
    parsed = Page(path.read_text(encoding="utf-8"))
    assert not parsed.all("img")
    assert len(parsed.all("script")) == 2
    assert "<" not in page_data(path.read_text(encoding="utf-8"))
    assert "".join(parsed.text).count(EVIL) > 12


def test_a_model_left_out_is_named_once_in_its_section(audit):
    regimes = ["full", "no_mt", "no_mt_ribo"]
    _store.put(audit, models_left_out=pd.DataFrame({"model": "bilinear", "regime": regimes, "reason": "no embedding"}))
    section = render(audit).split("<h3>Models left out</h3>")[1].split("</section>")[0]
    named = "all genes; without mitochondrial genes; without mitochondrial and ribosomal genes"
    assert section.count("bilinear") == 1
    assert f"bilinear was left out in these feature regimes: {named}. Reason: no embedding." in section


def test_truth_and_warnings_have_their_places(audit, page, tmp_path):
    assert "simulated" not in page
    assert 'id="warnings"' not in page
    _store.put(audit, report={"warnings": ["look here"]})
    truth = pd.DataFrame({"quantity": ["inert"], "planted": ["2"], "found": ["3"]})
    report(audit, tmp_path / "y.html", truth=truth)
    text = (tmp_path / "y.html").read_text(encoding="utf-8")
    assert "Simulated screen: true and estimated values" in text
    assert "<li>look here</li>" in text


def test_screen_alone_has_no_scores(tmp_path):
    mdata = spb.tl.audit(spb.ds.simulate(600, 100, 4, rng=1), models=(), regimes=("full",))
    report(mdata, tmp_path / "x.html")
    text = (tmp_path / "x.html").read_text(encoding="utf-8")
    Page(text)
    assert headings(text) == [
        "How the input was interpreted",
        "The screen",
        "Components of the response",
        "Provenance",
    ]
    assert "the screen only" in text


def test_two_attributions_are_compared(tmp_path):
    adata = spb.ds.simulate(900, 120, 6, rng=1)
    mdata = spb.tl.audit(adata, models=("mean", "ridge", "grn_linear"), regimes=("full",))
    report(mdata, tmp_path / "x.html")
    text = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert 'id="table-attribution_agreement"' in text
    assert data_of(text)["figures"]["attribution_agreement"]["matrix"]["rows"][0] == "ridge"


def test_failure_leaves_the_earlier_page(audit, tmp_path):
    path = tmp_path / "x.html"
    path.write_text("earlier")
    with pytest.raises(TypeError):
        report(audit["full"], path)
    assert path.read_text() == "earlier"


def test_the_first_screen_is_short(audit, page):
    _, summary = page.split('<section id="answer"')
    summary = re.sub(
        r"<svg.*?</svg>|<details.*?</details>|<figure.*?</figure>|<[^>]+>",
        " ",
        summary.split("</section>")[0],
        flags=re.S,
    )
    words = summary.split(">", 1)[1].split()
    assert 30 < len(words) < 150
    assert len([word for word in words if re.search(r"\d", word)]) < 30


def test_names_in_sentences_open_their_perturbation(page, audit):
    name = spb.get.perturbations(audit)["perturbation"].iloc[0]
    assert f'<a href="#p={name}">{name}</a>' in page


def test_the_script_is_small():
    assert 20_000 < len(script().encode()) < 60_000
    assert "//" not in script().replace("\\/\\/", "")


def test_the_hashes_are_those_of_what_the_page_holds(page):
    for tag in ("style", "script"):
        text = page.split(f"<{tag}>")[1].split(f"</{tag}>")[0]
        assert f"{tag}-src 'sha256-{digest(text)}'" in page


def test_a_calibration_stands_with_its_verdict(audit, monkeypatch):
    contents = content(audit)
    contents["answer"][0] |= {"calibration": "This verdict is given in 1% of 100 screens."}
    monkeypatch.setattr("scpertbias._report.page.content", lambda *_args, **_options: contents)
    verdict = render(audit).split('id="answer-screen"')[1].split("</section>")[0]
    assert "given in 1% of 100 screens" in verdict
