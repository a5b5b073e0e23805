"""The words themselves are tested with the verdicts, on tables made by hand: ``tests/report/verdicts``."""

from scpertbias._report.wording import response


def test_every_template_is_called_by_a_kind_of_the_verdicts():
    assert all(callable(template) for template in response.TEMPLATES.values())
