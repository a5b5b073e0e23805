import json

import pandas as pd

from scpertbias._report.charts.spec import Chart, line, tip


def test_a_spec_is_plain_and_holds_its_rows():
    rows = pd.DataFrame({"model": ["a"], "value": [0.5]})
    chart = Chart(
        "x", "scores", "rows", "Label", "Reading", "spb.pl.l2(mdata)", rows, ["model"], [tip("model")], {"step": 20}
    )
    spec = json.loads(json.dumps(chart.spec()))
    assert spec["rows"] == {"model": ["a"], "value": [0.5]}
    assert (spec["name"], spec["chart"], spec["step"], spec["keys"]) == ("x", "rows", 20, ["model"])


def test_tips_and_lines():
    assert tip("v", "value", interval=("low", "high")) == {"field": "v", "title": "value", "low": "low", "high": "high"}
    assert tip("v", form="percent")["form"] == "percent"
    assert line(1, "one") == {"at": 1, "label": "one"}
