"""One story on a page: no verdict contradicts another, a caution, a category, a figure's marks or a table."""

import pytest

from .story import CONTRADICTIONS, Story, contradictions, random_audit

IN_EVERY_RUN = 24


def _verdict(name, verdict, kind, **facts):
    def spoil(story):
        story.verdict[name], story.kind[name] = verdict, kind
        story.facts[name] = {**story.facts[name], **facts}

    return spoil


def _said(name, kind, **facts):
    return lambda story: story.said[name].update({kind: facts})


def _columns(table, **values):
    def spoil(story):
        story.tables[table] = story.tables[table].assign(**values)

    return spoil


def _caution(kind, *, severe=False):
    def spoil(story):
        story.cautions[kind] = {}
        story.severe |= {kind} if severe else set()

    return spoil


def _card(**values):
    def spoil(story):
        story.card = story.card.assign(**values)

    return spoil


SPOILED = {
    "unknown_response_is_unknown_everywhere": _verdict("shared", "inconclusive", "no_response"),
    "nothing_detected_but_a_response": _verdict("screen", "no", "none_detected"),
    "detected_as_many_as_the_table_has": _verdict("screen", "yes", "all_detected", n_detected=99),
    "categories_add_up": _said(
        "screen", "kinds_of_perturbations", n_specific=99, n_shared=0, n_in_confounder_set=0, n_weak=0
    ),
    "mostly_shared_without_anything_shared": _columns("perturbations", kind="mostly shared"),
    "shared_verdict_is_that_of_the_row": _verdict("shared", "yes", "axis_of_some"),
    "no_sign_with_a_sign": lambda story: (
        _verdict("technical", "no", "no_sign")(story),
        _columns("confounding", beyond=True, share=0.5)(story),
    ),
    "batch_is_in_the_table_and_not_adopted": _columns("balance", status="confounded"),
    "adopted_columns_are_a_caution": _caution("column_adopted", severe=True),
    "named_sets_are_beyond": lambda story: (
        _verdict("technical", "no", "program", axis="mt")(story),
        _columns("confounding", beyond=False)(story),
    ),
    "program_with_a_technical_set": lambda story: (
        _verdict("technical", "no", "program", axis="mt")(story),
        _columns("confounding", beyond=True, share=0.5)(story),
    ),
    "marks_of_the_figure_are_those_of_the_table": lambda story: story.tables.update(
        confounding=story.tables["confounding"].assign(
            beyond=~story.tables["confounding"]["beyond"].fillna(value=False)
        )
    ),
    "trust_without_a_good_row": _verdict("models", "yes", "perturbation_specific"),
    "constant_models_called_better_or_specific": _said("models", "better_than_mean", model=["ridge"]),
    "better_and_worse_at_once": lambda story: (
        _said("models", "better_than_mean", model=["x"])(story),
        _said("models", "worse_than_mean", model=["x"])(story),
    ),
    "category_of_the_card_is_that_of_the_table": _card(category="perturbation-specific"),
    "above_the_ceiling_without_a_caution": _card(ci_low=1.1, kind="same"),
    "approximate_without_a_caution": lambda story: story.cautions.pop("few_perturbations"),
    "genes_recur_as_the_table_has_them": _verdict("recurrence", "yes", "genes_recur"),
    "left_out_and_on_the_card": _said(
        "models", "graph_without_links", model=["ridge, no_change", "ridge", "no_change"]
    ),
}
"""For every pair of the list what would make a page of the small audit contradict itself."""


@pytest.mark.parametrize("name", SPOILED)
def test_a_contradiction_is_seen(small_audit, name):
    (pair,) = (pair for pair in CONTRADICTIONS if pair.__name__ == name)
    story = Story(small_audit)
    assert not pair(story)
    SPOILED[name](story)
    assert pair(story)


def test_the_list_of_pairs_is_kept():
    names = [pair.__name__ for pair in CONTRADICTIONS]
    assert len(set(names)) == len(names)
    assert set(SPOILED) <= set(names)
    assert len(SPOILED) > 0.75 * len(names)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(IN_EVERY_RUN))
def test_no_page_contradicts_itself(seed):
    assert contradictions(random_audit(seed)) == []


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(IN_EVERY_RUN, 200))
def test_no_page_of_many_contradicts_itself(seed):
    assert contradictions(random_audit(seed)) == []


def test_the_bundled_screen_does_not_contradict_itself(small_audit):
    assert contradictions(small_audit) == []
