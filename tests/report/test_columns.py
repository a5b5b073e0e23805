import pandas as pd

from scpertbias._report.columns import ON_PAGE
from scpertbias._report.layout import LAID_OUT
from scpertbias._report.tables import read

MADE = {"detail"}  # of the check, beside each perturbation


def test_columns_name_what_the_tables_hold(audit):
    tables = read(audit)
    for name, columns, caption, rows in LAID_OUT:
        keys = [c.name for c in columns]
        assert len(keys) == len(set(keys)), name
        assert caption
        table = rows(tables)
        if name == "attribution_agreement":
            continue  # one model alone has attributions
        assert set(keys) - MADE <= set(table.columns), name
        numbers = [c.name for c in columns if c.form in ("number", "count", "percent", "interval", "percent_interval")]
        assert all(pd.api.types.is_numeric_dtype(table[key]) for key in numbers), name


def test_words_of_the_page_are_of_columns_that_it_shows():
    shown = {column.label: column for _, columns, _, _ in LAID_OUT for column in columns}
    assert {label for label, _ in ON_PAGE.values()} <= set(shown)
    assert shown["category"].name in ("kind", "category")
