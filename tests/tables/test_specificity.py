import pytest

from scpertbias._core.recurrence import BY
from scpertbias._core.specific_skill import CATEGORIES, PERTURBATION_SPECIFIC
from scpertbias._tables import specificity


@pytest.mark.parametrize("table", specificity.TABLES, ids=lambda table: table.name)
def test_stored_as_declared(table, as_declared):
    as_declared(table)


def test_scales_are_those_that_are_counted():
    (by,) = specificity.RECURRENCE.pick("by")
    assert tuple(by.values) == BY


def test_categories_are_those_of_the_specific_skill():
    (category,) = specificity.SPECIFICITY.pick("category")
    assert tuple(category.values) == (*CATEGORIES, "")
    assert specificity.PERTURBATION_SPECIFIC == PERTURBATION_SPECIFIC
