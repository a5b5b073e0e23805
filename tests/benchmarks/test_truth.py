"""Records of single screens, and the table that is made of them."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
from benchmarks.truth import __main__ as command
from benchmarks.truth import null, table
from benchmarks.truth.records import Claim, Condition, Records

SMALL, LARGE = Condition("one_batch", "gamma", 12), Condition("nested", "gamma", 12)


class Drawn:
    """A claim that remembers which screens were drawn."""

    def __init__(self):
        self.seeds = []
        self.claim = Claim("shares", (SMALL, LARGE), self.measure, lambda *_: (0.92, 0.98), lambda _: 10)

    def measure(self, condition, seed):
        self.seeds.append((condition.shape, seed))
        if seed == 7:
            raise KeyboardInterrupt
        return {"held": seed % 4 > 0, "ratio": (seed, 2.0), "none": np.nan}


def test_an_interrupted_run_goes_on_where_it_ended(tmp_path):
    drawn = Drawn()
    records = Records(drawn.claim, SMALL, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        records.run("state", range(10))
    assert [record["seed"] for record in records.read("state")] == list(range(7))
    with records.path("state").open("a") as file:
        file.write('{"seed": 7, "val')  # the machine went down within a line
    drawn.seeds.clear()
    records.run("state", [*range(7), 8, 9])
    assert drawn.seeds == [("one_batch", 8), ("one_batch", 9)]
    assert [record["seed"] for record in records.read("state")] == [*range(7), 8, 9]


def test_another_state_of_the_package_is_measured_anew(tmp_path):
    drawn = Drawn()
    records = Records(drawn.claim, SMALL, tmp_path)
    records.run("before", range(4))
    assert len(records.newest("after")) == 4
    records.run("after", range(2))
    assert len(drawn.seeds) == 6
    assert len(records.newest("after")) == 2
    assert json.loads(records.path("after").read_text().split("\n")[0])["commit"]


def test_rows_hold_means_ratios_and_their_errors(tmp_path):
    drawn = Drawn()
    Records(drawn.claim, SMALL, tmp_path).run("state", range(6))
    rows = table.rows(drawn.claim, "state", cache=tmp_path).set_index("quantity")
    assert list(rows["n_screens"]) == [6, 6, 0]
    assert rows.loc["held", "estimate"] == round(4 / 6, 4)
    assert rows.loc["held", "standard_error"] == round(np.sqrt(0.6 * 0.4 / 10), 4)
    assert rows.loc["ratio", "estimate"] == 2.5 / 2
    assert rows.loc["ratio", "standard_error"] == round(np.arange(6).std(ddof=1) / np.sqrt(6) / 2, 4)
    assert set(rows["seed"]) == {"0-5"}
    assert rows.loc["none", "holds"] == ""


@pytest.mark.parametrize(
    ("estimate", "error", "aim", "expected"),
    [
        (0.95, 0.01, (0.92, 0.98), table.YES),
        (0.91, 0.01, (0.92, 0.98), table.WITHIN),
        (0.89, 0.01, (0.92, 0.98), table.NO),
        (1.0, 0.002, (0.92, 0.98), table.WIDE),
        (0.06, 0.002, (0.0, 0.05), table.NO),
        (1.03, 0.002, (0.98, 1.02), table.NO),
    ],
)
def test_what_misses_its_aim_by_more_than_its_error_does_not_hold(estimate, error, aim, expected):
    assert table.verdict(estimate, error, aim) == expected


def test_rows_without_records_keep_what_is_written(tmp_path):
    drawn = Drawn()
    for condition in (SMALL, LARGE):
        Records(drawn.claim, condition, tmp_path).run("state", range(3))
    path = tmp_path / "truth.csv"
    table.merged([drawn.claim], "state", cache=tmp_path, table=path).to_csv(path, index=False)
    Records(drawn.claim, SMALL, tmp_path).run("later", range(5))
    Records(drawn.claim, LARGE, tmp_path).path("state").unlink()
    frame = table.merged([drawn.claim], "later", cache=tmp_path, table=path)
    held = frame[frame["quantity"] == "held"].set_index("shape")["n_screens"]
    assert held.to_dict() == {"one_batch": 5, "nested": 3}


def test_a_check_reports_rows_far_from_the_documented_ones():
    row = {"claim": "null", "shape": "nested", "tails": "none", "n_perturbations": 40, "quantity": "x"}
    new = pd.DataFrame([{**row, "estimate": 0.5, "standard_error": 0.03}])
    assert command.off(new, new.assign(estimate=0.66)) == []
    assert command.off(new, new.assign(estimate=0.68)) == ["null nested none 40 x: 0.5, documented 0.68"]


def test_the_command_measures_what_is_asked_for(tmp_path, capsys):
    arguments = ["--claims", "null", "--screens", "10", "--part", "0.1", "--cache", str(tmp_path)]
    assert command.main(arguments) == 0
    assert "null small_panel-none-12: 1 screens" in capsys.readouterr().out
    assert len(list(tmp_path.iterdir())) == len(command.null.CLAIM.conditions)


# -- what is documented ---------------------------------------------------------------------------------------------


def test_the_documented_table_has_every_condition_and_enough_screens():
    frame = table.read()
    assert list(frame.columns) == table.COLUMNS
    at = set(frame[table.KEY[:4]].itertuples(index=False, name=None))
    assert at == {(c.name, k.shape, k.tails, k.n) for c in command.CLAIMS for k in c.conditions}
    headline = frame[(frame["quantity"] == null.ANY) & frame["shape"].isin(null.HEADLINE)]
    assert (headline["n_screens"] >= 500).all()
    assert not frame["commit"].str.endswith("+").any()
    assert not frame.duplicated(table.KEY).any()


def test_documented_verdicts_follow_from_the_estimates():
    frame = table.read()
    for row in frame[frame["aim"].ne("") & frame["n_screens"].gt(0)].itertuples():
        aim = tuple(float(bound) for bound in row.aim.split(" to "))
        assert row.holds == table.verdict(row.estimate, row.standard_error, aim), row


def test_tables_of_the_documentation_are_made_from_it():
    for name, expected in table.displays(table.read()).items():
        shown = pd.read_csv(table.DOCS / f"truth_{name}.csv", dtype=str, keep_default_na=False)
        pd.testing.assert_frame_equal(shown, expected.astype(str).set_axis(shown.columns, axis=1), check_dtype=False)


def test_the_page_names_what_misses_its_aim():
    frame, page = table.read(), (table.DOCS / "null_ceiling_interval.md").read_text(encoding="utf-8")
    text = page[page.index("### Intervals") :]
    for quantity in frame.loc[frame["holds"] == table.NO, "quantity"]:
        name = re.sub(r"^\w+: | over its ceiling$|_skill( holds 1)?$", "", quantity)
        assert f"`{name}`" in text, quantity


def test_what_misses_its_aim_is_bold():
    row = dict.fromkeys(table.COLUMNS, "") | {"claim": "shares", "tails": "pareto", "n_perturbations": 12}
    frame = pd.DataFrame(
        [
            {**row, "shape": "one_batch", "quantity": "l2", "estimate": 0.95, "holds": table.YES},
            {**row, "shape": "uneven", "quantity": "l2", "estimate": 0.8, "holds": table.NO},
        ]
    )
    (line,) = table.displays(frame)["coverage"].to_dict("records")
    assert line == {"interval of": "l2", "effects": "heavy tails", "12": "95 / **80**"}
