import pandas as pd

from scpertbias._report._answer import answer


def test_the_screen_alone_has_two_answers(tables):
    tables["perturbations"] = pd.DataFrame([{"perturbation": "A", "kind": "specific", "own_gene": "", "own_z": None}])
    found = answer(tables, {})
    assert [a["name"] for a in found["answer"]] == ["screen", "confounded", "models"]
    assert found["answer"][2]["text"] == "No model was fitted: this report is about the screen alone."
    assert found["scorecard"].empty
    assert found["cautions"] == []
