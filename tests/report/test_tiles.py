import pandas as pd
import pytest

from scpertbias._report.content import CHAPTERS, content
from scpertbias._report.tables import read
from scpertbias._report.tiles import EVIDENCE, TONES, severe, strip
from scpertbias._report.verdicts.cautions import SEVERE
from scpertbias._report.wording.tiles import SHORT_CAUTIONS, TILES


def test_five_tiles_in_order(audit):
    tiles = strip(content(audit), read(audit))
    assert [tile["name"] for tile in tiles] == list(TILES)
    assert {tile["evidence"] for tile in tiles} <= set(EVIDENCE.values())
    for tile in tiles:
        assert tile["word"]
        assert tile["text"].endswith(".")
        assert tile["tone"] in ("good", "middling", "bad", "unknown")
    assert "<svg" in tiles[0]["picture"]


def test_every_question_has_a_tone_for_every_verdict():
    assert set(TONES) == set(TILES)
    assert all(set(tones) == {"yes", "partly", "no"} for tones in TONES.values())
    assert len(CHAPTERS) == len(TILES) + 2, "recurrence and the cautions have no tile"


def shared(**facts):
    facts = {"share": 0.5, "ci_low": 0.4, "ci_high": 0.6, "carriers": ["A"], "n": 4, **facts}
    verdict = {"name": "shared", "verdict": "yes", "kind": "axis_of_some", "text": "Yes. One axis.", "facts": facts}
    (tile,) = strip({"answer": [verdict], "scorecard": pd.DataFrame()}, {})
    return tile


def test_the_bar_reaches_the_share():
    assert 'width="98.0"' in shared()["picture"], "half of the 196 units between the ends"
    assert 'class="range"' in shared()["picture"]
    assert 'class="range"' not in shared(ci_low=float("nan"))["picture"]
    assert shared(share=float("nan"))["picture"] == ""


def test_severe_cautions_are_one_line():
    facts = {"fewest_controls": 12, "n_batches": 1, "n_genes": 30}
    cautions = [
        {"kind": kind, "facts": facts, "severe": kind in SEVERE}
        for kind in ("few_controls", "few_genes", "check_warning")
    ]
    assert severe(cautions) == "Only 12 control cells; only 30 genes"
    assert severe([]) == ""


@pytest.mark.parametrize("kind", SEVERE)
def test_every_severe_caution_has_a_short_form(kind):
    assert kind in SHORT_CAUTIONS
