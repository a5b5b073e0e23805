from scpertbias._labels import COLUMNS, MEANINGS
from scpertbias._tables.labels import LABELS


def test_labels(as_declared):
    as_declared(LABELS)


def test_the_declaration_is_that_of_the_reader():
    assert [column.name for column in LABELS.columns] == list(COLUMNS)
    values = next(column.values for column in LABELS.columns if column.name == "meaning")
    assert tuple(values) == MEANINGS
