import pytest

from scpertbias._core.recurrence import BY
from scpertbias._tables import specificity


@pytest.mark.parametrize("table", specificity.TABLES, ids=lambda table: table.name)
def test_stored_as_declared(table, as_declared):
    as_declared(table)


def test_scales_are_those_that_are_counted():
    (by,) = specificity.RECURRENCE.pick("by")
    assert tuple(by.values) == BY
