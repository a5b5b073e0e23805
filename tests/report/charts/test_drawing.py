import pandas as pd

from scpertbias._report.charts.drawing import REST_OF, estimate


def test_constant_models_with_the_same_numbers_are_one_row(drawing):
    rows = pd.DataFrame({"model": ["no_change", "mean", "ridge", "x"], "v": [0.0, 0.00001, 0.0, 0.3]})
    fold = type(drawing)(**{**drawing.__dict__, "constant": frozenset({"no_change", "mean"})})
    assert fold.folded(rows, "v")["model"].tolist() == ["no_change, mean", "ridge", "x"]
    assert fold.folded(rows.head(0), "v").empty


def test_colors_of_several_names_are_grey(drawing):
    assert drawing.of_names(["ridge", "a, b"]) == {"ridge": "#123456", "a, b": REST_OF}


def test_rows_are_in_the_order_of_the_scorecard(drawing):
    assert drawing.order()[-1] == "mean"
    rows = pd.DataFrame({"model": ["mean", "observed", *drawing.card["model"][::-1]]})
    assert drawing.ranked(rows)["model"].tolist() == drawing.order()


def test_estimates_are_written_as_in_sentences():
    assert estimate(0.2016, 0.147, 0.254) == "0.20 (0.15–0.25)"
    assert estimate(-0.2, -0.4, 0.1) == "−0.20 (−0.40 to 0.10)"
    assert estimate(0.2, float("nan"), float("nan")) == "0.20"
    assert estimate(float("nan"), 0, 1) == "–"
    assert estimate(0.0, 0.0, 0.0) == "0", "an interval of no length says nothing"


def test_scores_are_held_out_and_of_linked_models(drawing):
    assert set(drawing.scores()["split"]) == {"test"}
    without = type(drawing)(**{**drawing.__dict__, "unlinked": frozenset({"ridge"})})
    assert "ridge" not in set(without.scores()["model"])
