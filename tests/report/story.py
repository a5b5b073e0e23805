"""One audit as a page tells it, the pairs of statements that contradict each other, and random audits to look for them."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from benchmarks import screens

import scpertbias as spb
from scpertbias import pl
from scpertbias._report.card import card_rows
from scpertbias._report.content import content
from scpertbias._report.layout import views
from scpertbias._report.verdicts.recurrence import beyond_the_data, tested_genes
from scpertbias._report.verdicts.technical import beyond_random

MUCH, PART = 0.25, 0.1
UNKNOWN = ("no_response", "not_computed")
DETECTED = ("specific", "mostly shared", "targets a confounder gene", "weak")
TECHNICAL = ("mt", "ribo", "heat_shock", "upr_isr", "histone")


class Story:
    """What one page says, in kinds and facts."""

    def __init__(self, mdata):
        made = content(mdata)
        self.data, self.tables, self.card = mdata, made["tables"], made["scorecard"]
        self.kind = {one["name"]: one["kind"] for one in made["answer"]}
        self.verdict = {one["name"]: one["verdict"] for one in made["answer"]}
        self.facts = {one["name"]: one["facts"] for one in made["answer"]}
        self.said = {
            one["name"]: {s["kind"]: s["facts"] for s in one["sentences"] + one["details"]} for one in made["answer"]
        }
        self.cautions = {caution["kind"]: caution["facts"] for caution in made["cautions"]}
        self.severe = {caution["kind"] for caution in made["cautions"] if caution["severe"]}
        self.shown = views(self.tables, None, made["described"])
        self.texts = [one["text"] for one in made["answer"]] + [c["text"] for c in made["cautions"]]
        self.texts += [s["text"] for one in made["answer"] for s in one["sentences"] + one["details"]]
        self.texts += [s["text"] for some in made["remarks"].values() for s in some]

    def of(self, table, **where):
        """Rows of a table of the full screen."""
        rows = self.tables[table]
        rows = rows[rows["regime"] == "full"] if "regime" in rows else rows
        for column, value in where.items():
            rows = rows[rows[column] == value]
        return rows

    @property
    def sets(self):
        return self.of("confounding", level="screen", kind="genes")

    @property
    def response(self):
        """Whether the tables have a share of the response at all."""
        return bool(self.of("confounding", level="screen", axis="other")["share"].notna().all())


def unknown_response_is_unknown_everywhere(s):
    names = ("shared", "technical", "models", "recurrence")
    kinds = {
        name: s.kind[name] for name in names if name in s.kind and s.kind[name] not in ("no_models", "only_baseline")
    }
    return (
        s.response == any(kind == "no_response" for kind in kinds.values())
        or len({kind == "no_response" for kind in kinds.values()}) > 1
    )


def the_check_knows_of_the_same_response(s):
    rows = s.tables["check"]
    none = rows[(rows["check"] == "response") & rows["detail"].str.contains("no reproducible response")]
    return bool(len(none)) == s.response


def nothing_detected_but_a_response(s):
    return s.response and s.verdict["screen"] == "no"


def detected_as_many_as_the_table_has(s):
    kinds = s.tables["perturbations"]["kind"]
    return s.facts["screen"]["n_detected"] != int(kinds.isin(DETECTED).sum())


def categories_add_up(s):
    counts = s.said["screen"].get("kinds_of_perturbations")
    parts = ("n_specific", "n_shared", "n_in_confounder_set", "n_weak")
    return counts is not None and sum(counts[p] for p in parts) != s.facts["screen"]["n_detected"]


def mostly_shared_without_anything_shared(s):
    table = spb.get.confounding(s.data)
    table = table[(table["regime"] == "full") & (table["level"] == "perturbation")]
    large = table[table["axis"].isin(("systematic", *TECHNICAL)) & (table["share"] > 0.5)]
    kinds = s.tables["perturbations"].set_index("perturbation")["kind"]
    return not set(kinds.index[kinds == "mostly shared"]) <= set(large["perturbation"])


def shared_verdict_is_that_of_the_row(s):
    row = s.of("confounding", level="screen", axis="systematic")
    low, high = row["ci_low"].iloc[0], row["ci_high"].iloc[0]
    yes, no = s.verdict["shared"] == "yes", s.kind["shared"] == "small_axis"
    return (yes and not low >= MUCH) or (no and not high < MUCH) or (s.kind["shared"] == "no_axis" and low == low)


def shared_by_all_by_one(s):
    return (
        s.kind["shared"] == "axis_of_all"
        and s.of("confounding", level="screen", axis="systematic")["n_axis"].iloc[0] < 2
    )


def no_sign_with_a_sign(s):
    if s.kind["technical"] != "no_sign":
        return False
    large = beyond_random(s.sets, "technical")["share"] >= PART
    return bool(large.any()) or (s.of("balance")["status"] == "confounded").any()


def batch_is_in_the_table_and_not_adopted(s):
    if s.kind["technical"] != "batch":
        return (s.of("balance")["status"] == "confounded").any() and s.kind["technical"] not in UNKNOWN
    column = s.facts["technical"]["column"]
    return not (s.of("balance", column=column)["status"] == "confounded").all()


def adopted_columns_are_a_caution(s):
    adopted = set(s.data.uns["scpertbias"]["audit"].get("adopted_columns", []))
    return ("column_adopted" in s.severe) != bool(adopted)


def named_sets_are_beyond(s):
    sets = s.sets.set_index("axis")
    named = (
        [s.facts["technical"]["axis"]]
        if s.kind["technical"] in ("program", "technical_sets", "technical_sets_in_part")
        else []
    )
    named += s.said["technical"].get("programs", {}).get("axis", [])
    within = s.said["technical"].get("set_within_chance", {}).get("axis")
    beyond = sets["beyond"].fillna(value=False).astype(bool)
    return not all(beyond[axis] for axis in named) or (within is not None and bool(beyond[within]))


def program_with_a_technical_set(s):
    return s.kind["technical"] == "program" and bool((beyond_random(s.sets, "technical")["share"] >= PART).any())


def marks_of_the_figure_are_those_of_the_table(s):
    if s.of("confounding").empty or not s.response:
        return False
    ax = pl.confounding(s.data, show=False)
    filled = {
        (round(float(line.get_ydata()[0]), 3)): line.get_markerfacecolor() != "white"
        for line in ax.lines
        if line.get_marker() == "o" and len(line.get_ydata()) == 1
    }
    places = {
        label.get_text(): round(float(y), 3) for label, y in zip(ax.get_yticklabels(), ax.get_yticks(), strict=True)
    }
    plt.close(ax.figure)
    beyond = s.sets.assign(axis=s.sets["axis"].str.removeprefix("HALLMARK_")).set_index("axis")["beyond"]
    beyond = beyond.fillna(value=False).astype(bool)
    return any(filled[y] != beyond[name] for name, y in places.items() if name in beyond.index and y in filled)


def trust_without_a_good_row(s):
    if "models" not in s.verdict or s.kind["models"] == "no_models":
        return False
    good = (s.card["tone"] == "good").any()
    middling = s.card["tone"].isin(("good", "middling")).any()
    return (s.verdict["models"] == "yes") != good or (s.verdict["models"] == "no" and middling)


def constant_models_called_better_or_specific(s):
    constant = set(s.card.loc[s.card["constant"].astype(bool), "model"])
    said = s.said.get("models", {})
    named = [said.get(kind, {}).get("model", []) for kind in ("better_than_mean", "specific_effects", "wrong_size")]
    return bool(constant & {m for models in named for m in models})


def better_and_worse_at_once(s):
    said = s.said.get("models", {})
    groups = [
        set(said.get(kind, {}).get("model", [])) for kind in ("better_than_mean", "worse_than_mean", "same_as_mean")
    ]
    return any(a & b for i, a in enumerate(groups) for b in groups[i + 1 :])


def category_of_the_card_is_that_of_the_table(s):
    table = s.of("specificity", metric="specific_skill").set_index("model")["category"]
    return any(row["category"] != table.get(row["model"], "") for _, row in s.card.iterrows())


def above_the_ceiling_without_a_caution(s):
    assessed = s.card[~s.card["kind"].isin(("none", "unlinked"))]
    evidence = {"observed_means", "above_ceiling", "correlation_above_ceiling"} & set(s.cautions)
    return (bool((assessed["ci_low"] > 1).any()) and not evidence) or (
        (s.card["kind"] == "too_good").any() and not evidence
    )


def approximate_without_a_caution(s):
    assessed = s.card[~s.card["kind"].isin(("none", "unlinked"))]
    few = (assessed["n"] < 50) | (assessed["n_effective"] < 20)
    return bool(few.any()) != ("few_perturbations" in s.cautions)


def genes_recur_as_the_table_has_them(s):
    if "recurrence" not in s.verdict:
        return False
    shown = len(s.shown["recurrence"]["rows"])
    return (s.verdict["recurrence"] == "yes") != bool(shown) or (
        s.verdict["recurrence"] == "no" and len(beyond_the_data(tested_genes(s.tables))) > 0
    )


def retraining_helps_without_a_gain(s):
    if s.verdict.get("retraining") != "yes":
        return False
    table, regime = s.tables["random_removals"], s.facts["retraining"]["regime"]
    rows = table[(table["regime"] == regime) & table["model"].isin(s.facts["retraining"]["model"])]
    return not (rows["gain"] > rows["random_max"]).all()


def left_out_and_on_the_card(s):
    unlinked = set(s.said.get("models", {}).get("graph_without_links", {}).get("model", []))
    evaluated = (
        {r["model"] for r in card_rows(s.card) if r["kind"] not in ("none", "unlinked")} if len(s.card) else set()
    )
    return bool(unlinked & evaluated)


CONTRADICTIONS = [
    value
    for value in list(globals().values())
    if callable(value) and getattr(value, "__module__", "") == __name__ and value is not Story
]
"""The kept list: each returns True where a page says two things that cannot both hold."""


def contradictions(mdata):
    """Names of the contradictions on the page of an audit."""
    story = Story(mdata)
    return [pair.__name__ for pair in CONTRADICTIONS if pair(story)]


CONTROLS = ("control", "non-targeting")


def random_audit(seed):
    """Run an audit of a small random screen of either generator, with random options."""
    rng = np.random.default_rng(seed)
    options = {
        "batch_key": ("auto", None)[rng.integers(2)],
        "models": (("mean", "no_change", "ridge"), ("mean", "bilinear", "grn_linear"), ("mean",), ())[rng.integers(4)],
        "regimes": (None, ("full",), ("full", "no_mt"))[rng.integers(3)],
        "n_random": int(rng.integers(3)),
        "n_folds": (None, 3)[rng.integers(2)],
        "min_cells": (5, 10)[int(rng.integers(2))],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if rng.random() < 0.5:
            adata = spb.ds.simulate(
                int(rng.integers(300, 900)), int(rng.integers(25, 90)), int(rng.integers(3, 16)), keep_counts=False,
                axis_strength=(0.0, 0.6)[rng.integers(2)], specific_strength=(0.0, 0.5)[rng.integers(2)],
                n_batches=int(rng.integers(1, 3)), batch_strength=(0.0, 0.5)[rng.integers(2)], rng=seed,
            )  # fmt: skip
        else:
            shape, plant = rng.choice(list(screens.DESIGNS)), rng.choice(list(screens.PLANTED))
            size = {
                "n_genes": int(rng.integers(25, 90)),
                "n_perturbations": int(rng.integers(5, 16)),
                "truth_cells": 16,
            }
            size |= {"cells_per_perturbation": int(rng.integers(15, 50)), "n_control": int(rng.integers(44, 150))}
            adata = screens.normalize(screens.draw(seed, shape=shape, plant=plant, **size))
        if options["models"] and rng.random() < 0.4:
            options["predictions"] = {"mine": _predictions(adata, rng)}
        for regimes in (options["regimes"], ("full",)):
            try:
                return spb.tl.audit(adata, **{**options, "regimes": regimes})
            except ValueError as error:  # a regime asked for by name that the panel cannot define
                if "regime" not in str(error):
                    raise
    raise AssertionError


def _predictions(adata, rng):
    """Predict half of the perturbations by their own effects, of another size, and hold them out."""
    names = [name for name in adata.obs["perturbation"].unique() if name not in CONTROLS]
    test = names[: max(2, len(names) // 2)]
    adata.obs["split"] = np.where(adata.obs["perturbation"].isin(test), "test", "train")
    control, *means = (
        np.asarray(adata.X[adata.obs["perturbation"].isin(group).to_numpy()].mean(axis=0)).ravel()
        for group in (CONTROLS, *([name] for name in test))
    )
    return pd.DataFrame(control + (np.array(means) - control) * rng.uniform(0.5, 1.2), test, adata.var_names)
