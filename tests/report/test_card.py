import pandas as pd
import pytest

from scpertbias._report._card import WIDTH, bar, card_rows

NAN = float("nan")


def test_numbers_of_the_scorecard_as_text():
    row = {"skill": 0.144, "low": 0.089, "high": 0.2051, "n_recurring": 28.0}
    row |= {f"specific_{part}": v for part, v in (("gain", 0.279), ("low", 0.2456), ("high", 0.315))}
    row |= {f"off_axis_{part}": NAN for part in ("gain", "low", "high")}
    row |= {f"regime_{part}": 1e-9 for part in ("gain", "low", "high")}
    (found,) = card_rows(pd.DataFrame([row]))
    assert found["way"] == ["14 %", "[8.9, 21]"]
    assert found["specific"] == ["0.279", "[0.246, 0.315]"]
    assert (found["off_axis"], found["retrained"], found["recurring"]) == (["–"], ["0"], "28")
    (unknown,) = card_rows(pd.DataFrame([{**row, "low": NAN, "n_recurring": NAN}]))
    assert (unknown["way"], unknown["recurring"]) == (["–"], "–")


def test_bar_lies_between_baseline_and_ceiling():
    made = bar(0.5, 0.4, 0.6)
    assert made.count("<line") == 3
    assert 'cx="77.6"' in made, "halfway between 0 and 1, drawn from -0.6 to 1.1"
    assert bar(NAN, NAN, NAN) == bar(0.1, NAN, NAN) == ""


@pytest.mark.parametrize(("value", "place"), [(-9.0, 0.0), (9.0, WIDTH)])
def test_what_lies_outside_is_drawn_at_the_end(value, place):
    assert f'cx="{place:.1f}"' in bar(value, value, value)
