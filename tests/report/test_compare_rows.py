"""What of several audits is compared, and why the rest is not."""

import json

import numpy as np
import pytest

import scpertbias as spb
from scpertbias._report import to_json
from scpertbias._report.compare_rows import (
    ALL,
    assessed,
    audit_of,
    forest,
    interval,
    notes,
    overview,
    pairs,
    same_screen,
    unpaired,
)

NAN = float("nan")


def read(name, mdata):
    return audit_of(name, json.loads(to_json(mdata)))


MINE = "two_stage_perturbations"


@pytest.fixture(scope="module")
def first(small_audit):
    return read("first", small_audit)


@pytest.fixture(scope="module")
def second(other_models_audit):
    return read("second", other_models_audit)


@pytest.fixture(scope="module")
def other():
    cells = spb.ds.simulate(1_500, 200, 12, rng=3)
    cells = cells[:, ~cells.var_names.str.startswith("RP")].copy()
    return read("other", spb.tl.audit(cells, models=(), n_random=0))


def test_which_audits_are_of_one_screen(first, second, other):
    assert same_screen(first, second)
    assert not same_screen(first, other)


def test_shares_of_one_screen_are_one_row(first, second):
    table, _ = forest([first, second])
    shares = table[table["group"].str.startswith("Share")]
    assert set(shares["audit"]) == {ALL}
    stored = first.tables["confounding"]
    stored = stored[(stored["level"] == "screen") & (stored["regime"] == "full")].set_index("axis")
    upr = shares.set_index("group").loc["Share: unfolded-protein-response genes"]
    assert (
        upr[["estimate", "ci_low", "ci_high"]].tolist()
        == stored.loc["upr_isr", ["share", "ci_low", "ci_high"]].tolist()
    )


def test_shares_of_two_screens_and_what_only_one_measures(first, other):
    table, left_out = forest([first, other])
    upr = table[table["group"] == "Share: unfolded-protein-response genes"]
    assert upr["audit"].tolist() == ["first", "other"]
    assert not table["group"].str.contains("ribosomal").any()
    (why,) = [text for text in left_out if text.startswith("Shares of other on these gene sets are not compared")]
    assert "ribosomal genes (0)" in why


def test_skills_are_those_of_the_scorecard_and_constants_are_named(first, second):
    table, left_out = forest([first, second])
    assert assessed(first).empty
    row = table.set_index("group").loc[f"Skill of {MINE}"]
    card = second.card.set_index("model").loc[MINE]
    assert row[["estimate", "ci_low", "ci_high"]].tolist() == card[["skill", "ci_low", "ci_high"]].tolist()
    assert row["size"] == f"n = {card['n']}"
    assert any(
        text.startswith("In first, skills of ") and "ridge" in text and "constant prediction" in text
        for text in left_out
    )


def test_pairs_of_one_screen_take_in_the_mean(first, second):
    assert unpaired(first, second) == ""
    table = pairs([first, second])
    table = table[table["metric"] == "l2_ratio"].set_index(["model_a", "model_b"])
    drawn = {audit.name: audit.tables["drawn"] for audit in (first, second)}
    mine = drawn["second"][drawn["second"]["model"] == MINE].set_index("perturbation")["l2_ratio"]
    ridge = drawn["first"][drawn["first"]["model"] == "ridge"].set_index("perturbation")["l2_ratio"]
    row = table.loc[("ridge · first", f"{MINE} · second")]
    assert row["difference"] == pytest.approx((mine - ridge).mean())
    assert table.loc[("mean", f"{MINE} · second"), "difference"] == pytest.approx((mine - 1).mean())
    assert row["n"] == 12


def test_pairs_need_one_screen_and_one_baseline(first, second, other):
    assert pairs([first, other]).empty
    drawn = second.tables["drawn"].assign(l2_baseline=lambda t: 1.1 * t["l2_baseline"])
    shifted = audit_of("shifted", {**second.contents, "drawn": drawn.to_dict("records")})
    assert "mean baselines differ" in unpaired(first, shifted)
    assert pairs([first, shifted]).empty
    assert "one of the audits has no scores" in unpaired(first, audit_of("x", {**second.contents, "drawn": []}))
    assert any(
        "are not compared, because their mean baselines differ" in text for text in notes([first, shifted])["compared"]
    )


def test_what_is_said_of_two_screens(first, second, other):
    said = notes([first, second, other])
    assert any(
        "first and second are audits of the same screen. Pairs of their models are also compared." in text
        for text in said["compared"]
    )
    names = [set(audit.tables["perturbations"]["perturbation"]) for audit in (first, other)]
    assert any(f"({len(names[0] & names[1])} perturbations in common)" in text for text in said["left_out"])
    assert "Skills of other are not compared, because this audit contains no model." in said["left_out"]
    provenance = {**second.contents["provenance"], "versions": {"scpertbias": "9"}}
    newer = audit_of("newer", {**second.contents, "provenance": provenance})
    assert any("different versions of scpertbias" in text for text in notes([first, newer])["left_out"])


def test_overview(first, other):
    lines = dict(overview([first, other]))
    assert lines["perturbations"] == ["12", "12"]
    assert lines["genes"][0] == "200"
    assert lines["models"][1] == "none"
    kinds = [audit.tables["perturbations"]["kind"].value_counts().to_dict() for audit in (first, other)]
    counts = {
        label.removeprefix("perturbations: "): values
        for label, values in lines.items()
        if label.startswith("perturbations: ")
    }
    assert counts == {kind: [str(k.get(kind, 0)) for k in kinds] for kind in counts}
    assert sum(int(values[0]) for values in counts.values()) == 12


def test_numbers():
    assert interval(-0.284, -0.43, 0.01) == "−0.28 (−0.43 to 0.01)"


def test_missing_numbers_are_missing(first):
    drawn = first.tables["drawn"]
    assert drawn["l2_ratio"].dtype == np.float64
    assert drawn["n_cells"].dtype == np.int64
