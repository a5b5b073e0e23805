"""The figures in a real browser: what is under the pointer, highlights, exports, one perturbation, and the address."""

import struct
from xml.etree import ElementTree

import pytest

import scpertbias as spb

from .browser import all_drawn, opened, state, until

pytestmark = pytest.mark.slow
MODELS = "JSON.parse(document.getElementById('data').textContent).models"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def page(browser, audit_page):
    made = opened(browser, audit_page, permissions=["clipboard-read", "clipboard-write"])
    yield made
    assert made.wrong == []
    made.close()


def drawing(page, name):
    """The figure, in view and drawn."""
    figure = page.locator(f"#figure-{name}")
    page.evaluate(
        f"for (let n = document.querySelector('#figure-{name}'); n; n = n.parentElement) if (n.open === false) n.open = true"
    )
    figure.scroll_into_view_if_needed()
    figure.locator("svg").wait_for()
    return figure


def test_every_figure_is_drawn_with_marks(page):
    all_drawn(page)
    names = page.evaluate("[...document.querySelectorAll('figure')].map(f => f.dataset.figure)")
    assert {"map", "heatmap", "composition", "embedding", "skill", "comparison", "effect_size", "specificity"} <= set(
        names
    )
    for name in names:
        svg = page.locator(f"#figure-{name} svg")
        assert svg.locator(".mark").count() > 0, name
        assert svg.locator(".mark[tabindex='0'][aria-label]").count() == 1, f"{name}: one stop for the keyboard"
        box = svg.bounding_box()
        assert box["width"] > 250, name
        assert box["height"] > 90, name


def test_the_pointer_shows_name_value_and_interval(page):
    mark = page.locator("#figure-map g.mark").last
    mark.locator("circle").hover()
    lines = page.locator("#tooltip").inner_text().split("\n")
    assert lines[0] == mark.get_attribute("data-model")
    assert any(line.startswith("skill: ") and "(" in line for line in lines)
    assert any(line.startswith("n: ") for line in lines)


def test_arrows_go_from_mark_to_mark_and_enter_highlights(page):
    figure = drawing(page, "perturbations")
    figure.locator(".mark[tabindex='0']").focus()
    first = page.evaluate("document.activeElement.dataset.perturbation")
    page.keyboard.press("ArrowRight")
    second = page.evaluate("document.activeElement.dataset.perturbation")
    assert second != first
    assert page.locator("#tooltip").inner_text().startswith(second)
    page.keyboard.press("Enter")
    assert state(page)["pick"] == f"perturbation:{second}"


def test_a_click_highlights_everywhere_and_clear_ends_it(page, page_audit):
    all_drawn(page)
    name = spb.get.perturbations(page_audit).nlargest(1, "response_share")["perturbation"].iloc[0]
    page.locator(f"#figure-perturbations g.mark[data-perturbation='{name}'] circle").click()
    for figure in ("perturbations", "embedding", "heatmap", "l2"):
        assert page.locator(f"#figure-{figure} svg.picked .mark.on").count() > 0, figure
    assert page.locator("#table-perturbations tr.on").count() == 1
    assert page.locator("#picked").inner_text().startswith(name)
    page.locator("#picked .clear").click()
    assert page.locator(".mark.on").count() == 0
    assert "pick" not in state(page)


def test_choices_redraw_a_figure(page):
    figure = drawing(page, "heatmap")
    before = figure.locator("svg").inner_html()
    groups = page.evaluate("JSON.parse(document.getElementById('data').textContent).figures.heatmap.matrix.groups")
    assert set(groups) <= set(figure.locator("svg text.strong").all_text_contents()), "each bracket has its whole name"
    assert figure.get_by_label("Model").is_disabled(), "what is observed is of no model"
    figure.get_by_label("Show").select_option("predicted")
    assert figure.get_by_label("Model").is_enabled()
    assert figure.locator("svg").inner_html() != before
    assert state(page) == {"f.heatmap.view": "predicted"}


def export(page, name, what):
    figure = page.locator(f"#figure-{name}")
    figure.locator(".menu summary").click()
    with page.expect_download() as download:
        figure.get_by_role("button", name=what).click()
    return download.value.path().read_bytes(), download.value.suggested_filename


def test_every_figure_is_saved_as_svg_png_and_tsv(page):
    all_drawn(page)
    for name in page.evaluate("[...document.querySelectorAll('figure')].map(f => f.dataset.figure)"):
        content, file = export(page, name, "Save SVG")
        root = ElementTree.fromstring(content)
        assert file == f"{name}.svg"
        assert root.tag == f"{SVG}svg"
        assert b"var(" not in content, "colors need the page's style sheet"
        assert any(e.text for e in root.iter(f"{SVG}text"))
        assert all(float(e.get("font-size").removesuffix("px")) >= 11 for e in root.iter(f"{SVG}text"))
        content, _ = export(page, name, "Save PNG")
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", content[16:24])
        assert width > 400
        assert height > 180
        content, _ = export(page, name, "Save TSV")
        rows = [line.split("\t") for line in content.decode().splitlines()]
        assert len(rows) > 1, name
        assert {len(row) for row in rows} == {len(rows[0])}, name


def test_saved_values_are_those_of_the_table(page, page_audit):
    drawing(page, "l2")
    content, _ = export(page, "l2", "Save TSV")
    head, *rows = (line.split("\t") for line in content.decode().splitlines())
    scores = spb.get.scores(page_audit, regime="full", trained_on="full", split="test")
    scores = scores[scores["l2"].notna() & scores["model"].isin(page.evaluate(MODELS))]
    expected = scores.set_index(["model", "perturbation"])["l2"].to_dict()
    saved = {
        (row["model"], row["perturbation"]): row["value"] for row in (dict(zip(head, r, strict=True)) for r in rows)
    }
    assert expected.keys() == {key for key, value in saved.items() if value}
    assert all(float(saved[key]) == pytest.approx(value, rel=1e-5) for key, value in expected.items())


def test_code_and_caption_are_copied(page):
    figure = drawing(page, "map")
    for what, part in (
        ("Copy code", "spb.pl.map(mdata)"),
        ("Copy caption", "Skill and specific skill. "),
    ):
        figure.locator(".menu summary").click()
        figure.get_by_role("button", name=what).click()
        page.locator("#said.now").wait_for()
        assert page.evaluate("navigator.clipboard.readText()").startswith(part)


def test_a_name_opens_the_perturbation_with_every_model(page, page_audit):
    link = page.locator("#table-perturbations tbody a").nth(2)
    name = link.inner_text()
    link.click()
    dialog = page.locator("#explore")
    assert dialog.locator("h2").inner_text() == name
    row = spb.get.perturbations(page_audit).set_index("perturbation").loc[name]
    assert f"{row['n_cells']:,}" in dialog.locator(".facts-list").inner_text()
    models = spb.get.summary(page_audit, regime="full")["model"].unique()
    assert dialog.locator("article").count() >= len(models) - 2, "without those that have no link"
    assert dialog.locator("article svg").count() > 0
    for words in ("r", "relative error", "on shared axis", "off shared axis"):
        assert words in dialog.locator("article").first.inner_text()
    scores = spb.get.scores(page_audit, models="ridge", regime="full", trained_on="full", perturbation=name)
    shown = dialog.locator("article", has_text="ridge").locator("dd").nth(1).inner_text()
    assert float(shown) == pytest.approx(scores["l2_ratio"].mean(), abs=0.006)


def test_previous_next_and_escape(page):
    names = page.evaluate("[...document.querySelectorAll('#table-perturbations tbody a')].map(a => a.textContent)")
    page.locator("#table-perturbations tbody a").first.click()
    title = page.locator("#explore-name")
    page.get_by_role("button", name="Next perturbation").click()
    assert title.inner_text() == names[1]
    page.get_by_role("button", name="Previous perturbation").click()
    assert title.inner_text() == names[0]
    page.locator("#go").fill(names[5])
    page.keyboard.press("Enter")
    assert title.inner_text() == names[5]
    page.keyboard.press("Escape")
    assert not page.locator("#explore").is_visible()
    assert "p" not in state(page)


def test_names_in_sentences_and_figures_open_it_too(page):
    page.locator("#tile-shared a[href^='#p='], #answer-screen a[href^='#p=']").first.click()
    assert page.locator("#explore").is_visible()
    page.keyboard.press("Escape")
    figure = drawing(page, "perturbations")
    name = figure.locator("text.name.mark").first
    name.click()
    assert page.locator("#explore-name").inner_text() == name.text_content()


def test_search_filters_highlights_and_proposes(page):
    names = page.evaluate("[...document.querySelectorAll('#table-perturbations tbody a')].map(a => a.textContent)")
    all_drawn(page)
    page.locator("#search").fill(names[3].lower())
    until(page, "document.querySelectorAll('#table-perturbations tbody tr:not([hidden])').length < 5")
    assert names[3] in page.locator("#table-perturbations tbody tr:not([hidden]) a").all_inner_texts()
    assert page.locator("#figure-perturbations svg.picked .mark.on").count() > 0
    assert "of 30 rows match" in page.locator("#tools-table-perturbations output").inner_text()
    page.keyboard.press("ArrowDown")
    assert page.locator("#proposals li[aria-selected='true']").inner_text().startswith(names[3])
    page.keyboard.press("Enter")
    assert page.locator("#explore-name").inner_text() == names[3]
    page.keyboard.press("Escape")
    page.locator("#search").fill("ridge")
    page.locator("#proposals li", has_text="model").first.click()
    assert state(page)["pick"] == "model:ridge"
    assert page.locator("#table-summary tr.on").count() > 0


def test_the_address_keeps_the_state(page):
    all_drawn(page)
    drawing(page, "heatmap").get_by_label("Show").select_option("residual")
    page.locator("#table-summary thead button").nth(2).click()
    page.locator("#search").fill("mean")
    until(page, "location.hash.includes('q=mean')")
    page.evaluate("document.activeElement.blur()")
    page.locator("nav a[href='#scores']").click()
    before = state(page)
    assert before == {"f.heatmap.view": "residual", "s.summary": "2d", "q": "mean", "at": "scores"}
    order = page.evaluate("[...document.querySelectorAll('#table-summary tbody tr')].map(r => r.textContent)")
    page.reload()
    assert state(page) == before
    assert page.locator("#search").input_value() == "mean"
    assert page.evaluate("[...document.querySelectorAll('#table-summary tbody tr')].map(r => r.textContent)") == order
    assert page.locator("#figure-heatmap select").first.input_value() == "residual"
    name = page.locator("#table-perturbations tbody a").first.text_content()
    page.goto(page.url.split("#")[0] + f"#p={name}&pick=model%3Aridge")
    page.reload()
    assert page.locator("#explore-name").inner_text() == name
    assert page.locator("#picked b").text_content() == "ridge"
