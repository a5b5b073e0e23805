import pandas as pd
import pytest

from scpertbias._report.card import WIDTH, bar, card_rows

NAN = float("nan")


def test_numbers_of_the_scorecard_as_text():
    row = {"skill": 0.144, "ci_low": 0.089, "ci_high": 0.2051, "n_recurring": 28.0}
    row |= {f"specific_{part}": v for part, v in (("skill", 0.279), ("ci_low", 0.2456), ("ci_high", 0.315))}
    row |= {"model": "x", "kind": "right", "n": 100}
    row |= {f"regime_{part}": 1e-9 for part in ("gain", "ci_low", "ci_high")}
    (found,) = card_rows(pd.DataFrame([row]))
    assert found["way"] == ["0.14", "(0.09–0.21)"]
    assert found["specific"] == ["0.28", "(0.25–0.32)"]
    assert (found["retrained"], found["recurring"]) == (["0"], "28")
    (unknown,) = card_rows(pd.DataFrame([{**row, "ci_low": NAN, "n_recurring": NAN}]))
    assert (unknown["way"], unknown["recurring"]) == (["–"], "–")


def test_constant_predictions_are_one_row():
    one = {"ci_low": -0.1, "ci_high": 0.1, "n_recurring": NAN, "n": 40}
    one |= {f"{name}_{part}": NAN for name in ("specific", "regime") for part in ("skill", "gain", "ci_low", "ci_high")}
    rows = [("right", "x", 0.2), ("unlinked", "u", 0.0), ("constant", "a", 0.01), ("constant", "b", -0.12)]
    rows += [("worse", "y", -0.3), ("none", "z", 0.5)]
    card = pd.DataFrame([{**one, "kind": kind, "model": model, "skill": skill} for kind, model, skill in rows])
    shown_rows = card_rows(card)
    assert [row["model"] for row in shown_rows] == ["x", "y", "a, b", "u", "z"]
    assert (shown_rows[3]["way"], shown_rows[3]["bar"]) == (["–"], "")
    assert (shown_rows[2]["way"], shown_rows[2]["bar"]) == (["range −0.12 to 0.01"], "")
    same = card_rows(card.assign(skill=0.0))
    assert same[2]["way"] == ["0", "(−0.10 to 0.10)"]


def test_bar_lies_between_baseline_and_ceiling():
    made = bar(0.5, 0.4, 0.6)
    assert made.count("<line") == 3
    assert 'cx="77.6"' in made, "halfway between 0 and 1, drawn from -0.6 to 1.1"
    assert bar(NAN, NAN, NAN) == bar(0.1, NAN, NAN) == ""


@pytest.mark.parametrize(("value", "place"), [(-9.0, 0.0), (9.0, WIDTH)])
def test_what_lies_outside_is_drawn_at_the_end(value, place):
    assert f'cx="{place:.1f}"' in bar(value, value, value)
