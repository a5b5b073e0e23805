"""The rates of verdicts count kinds that the report gives."""

import re
from pathlib import Path

import pytest
from benchmarks import screens, verdicts

import scpertbias

RULES = Path(scpertbias.__file__).parent / "_report" / "verdicts"
KINDS = set(re.findall(r'"([a-z_]+)"', "".join(path.read_text(encoding="utf-8") for path in RULES.glob("*.py"))))


def test_every_kind_that_is_counted_can_be_given():
    counted = {kind for kinds in verdicts.CLAIMS.values() for kind in kinds}
    counted |= {kind for _, _, intended in verdicts.PLANTED.values() for kind in intended}
    assert counted <= KINDS
    assert {question for _, question, _ in verdicts.PLANTED.values()} <= set(verdicts.QUESTIONS)


def test_one_screen_has_a_verdict_on_every_question():
    kinds = verdicts.kinds(0, n_genes=60, n_perturbations=8, cells_per_perturbation=20, n_control=60)
    assert set(verdicts.QUESTIONS) <= set(kinds)
    assert set(kinds.values()) <= KINDS


def test_rates_of_a_screen_with_one_wrong_verdict(monkeypatch, capsys):
    given = dict.fromkeys(verdicts.QUESTIONS, "none_detected") | {"shared": "axis_of_few"}
    monkeypatch.setattr(verdicts, "kinds", lambda seed, **settings: given)
    verdicts.print_null(2)
    verdicts.print_planted(2)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(screens.DESIGNS) * len(verdicts.QUESTIONS) + len(verdicts.PLANTED)
    assert sum("1.000" in line for line in lines) == len(screens.DESIGNS) + 2  # of the planted: axis and pathway


def test_rates_of_leaks(monkeypatch, capsys):
    monkeypatch.setattr(verdicts, "suspected", lambda screen: {"leaked"} if screen else set())
    monkeypatch.setattr(verdicts, "predictions_of", lambda cells, seed: seed % 2)
    monkeypatch.setattr(screens, "draw", lambda seed, **settings: None)
    verdicts.print_leaks(2 * len(verdicts.WITH_EFFECTS))
    lines = capsys.readouterr().out.splitlines()
    assert "all | leaked | 0.500 ± 0.112" in lines
    assert "all | ridge | 0.000 ± 0.025" in lines


@pytest.mark.parametrize(("hits", "text"), [([True, True], "1.000 ± 0.250"), ([True, False], "0.500 ± 0.354")])
def test_a_rate_has_its_error(hits, text):
    assert verdicts.rate(hits) == text
