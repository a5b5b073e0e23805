"""The words themselves are tested with the verdicts, on tables made by hand: ``tests/report/verdicts``."""

from scpertbias._report.verdicts import cautions, confounding, screen
from scpertbias._report.wording.screen import TEMPLATES


def test_every_kind_has_one_template():
    kinds = {
        kind
        for module in (screen, confounding, cautions)
        for kind in (*getattr(module, "KINDS", ()), *module.STATEMENTS)
    }
    assert kinds == set(TEMPLATES)
