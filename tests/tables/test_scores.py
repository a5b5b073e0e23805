import pytest

from scpertbias._core.metrics import ALL_METRICS
from scpertbias._tables import scores


@pytest.mark.parametrize("table", scores.TABLES, ids=lambda table: table.name)
def test_stored_as_declared(table, as_declared):
    as_declared(table)


def test_every_metric_is_a_column():
    names = [column.name for column in scores.SCORES.columns]
    assert [name for name in names if name in ALL_METRICS] == list(ALL_METRICS)
    assert {f"{name}_baseline" for name in ALL_METRICS} - set(names) == {"l2_ratio_baseline"}
    assert {f"{name}_ceiling" for name in ALL_METRICS} - set(names) == {"discrimination_ceiling"}
