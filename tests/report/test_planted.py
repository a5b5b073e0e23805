import numpy as np
import pandas as pd

from scpertbias._report.planted import planted_table

TRUTH = {
    "perturbations": np.array(["A", "B", "C", "D", "few"]),
    "inert": np.array([True, True, False, False, False]),
    "genes": np.array(["C", "D", "x"]),
    "expected_delta": np.array([[0, 0, 0], [0, 0, 0], [1, 2, 2], [0, 0, 1], [9, 9, 9]], dtype=float),
    "parameters": {"knockdown": 0.2},
}
CHECK = pd.DataFrame(
    [
        ("labels", "", "ok", "", np.nan, "control"),
        ("perturbation", "A", "note", "x↑", 0.1, "no effect detected (q above 0.05)"),
        ("perturbation", "B", "ok", "x↑", 0.2, ""),
        ("perturbation", "C", "ok", "C↓ x↑", 8.5, ""),
        ("perturbation", "D", "note", "D↑ C↓", 1.0, "no effect detected (q above 0.05)"),
        ("perturbation", "few", "warning", "x↑", 70.0, "left out: 3 cells"),
    ],
    columns=["check", "perturbation", "status", "top_genes", "squared_effect", "detail"],
)


def test_planted_beside_found():
    table = planted_table(TRUTH, CHECK)
    assert list(table.columns) == ["quantity", "planted", "found"]
    assert table.to_numpy().tolist() == [
        ["perturbations without any effect", "2 of 4", "1 not detected, 1 detected"],
        ["perturbations with an effect", "2 of 4", "1 detected, 1 not detected"],
        [
            "perturbations that reduce a measured target gene",
            "2; expression reduced to 20% of the control",
            "in 1, the target gene decreases and is among the five strongest genes",
        ],
        ["sum of the squared effects of all perturbations", "10.0", "9.80 (corrected for noise)"],
    ]


def test_no_knockdown_no_row():
    table = planted_table({**TRUTH, "parameters": {"knockdown": 1.0}}, CHECK)
    assert len(table) == 3


def test_shares_beside_their_truth():
    confounding = pd.DataFrame(
        [
            ("mt", "full", "screen", 0.18, 0.15, 0.2),
            ("mt", "regressed", "screen", 0.9, 0.8, 1.0),
            ("mt", "full", "perturbation", 0.7, np.nan, np.nan),
            ("p53", "full", "screen", 0.3, 0.2, 0.4),
            ("systematic", "full", "screen", np.nan, np.nan, np.nan),
        ],
        columns=["axis", "regime", "level", "share", "ci_low", "ci_high"],
    )
    table = planted_table({**TRUTH, "share": {"mt": 0.19, "systematic": 0.6, "p53": 0.3}}, CHECK, confounding)
    assert table.to_numpy().tolist()[4:] == [
        ["share of the response on the shared axis", "60%", "–"],
        ["share of the response on mitochondrial genes", "19%", "18% (15–20)"],
    ]
