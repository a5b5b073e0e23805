"""What an inspection says: the columns, the labels, what is left out, and a command that works as it is."""

import shlex

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias._cli.main import main
from scpertbias._inspect import as_text, inspect


@pytest.fixture(scope="module")
def screen():
    """Cells as a newcomer has them: raw counts, Ensembl ids, other names of columns."""
    adata = spb.ds.simulate(900, 150, 6, rng=1, measured_targets=True, depth=2_000)
    adata.X = adata.layers.pop("counts") if "counts" in adata.layers else adata.X
    adata.var["gene_name"] = adata.var_names
    adata.var_names = [f"ENSG{i:011d}" for i in range(adata.n_vars)]
    labels = adata.obs.pop("perturbation").astype(str)
    rng = np.random.default_rng(0)
    adata.obs = pd.DataFrame(
        {
            "target": labels.replace("non-targeting", "NTC").to_numpy(),
            "guide_id": [f"{label}_sg{k}" for label, k in zip(labels, rng.integers(1, 3, len(labels)), strict=True)],
            "donor": rng.choice(["d1", "d2"], len(labels)),
            "well": [f"w{label}" for label in labels],
            "pct_counts_mt": rng.uniform(0, 10, len(labels)),
        },
        index=adata.obs_names,
    )
    adata.obs.loc[adata.obs_names[:40], "target"] = "unassigned"
    return adata


def row(rows, about, name=None):
    part = rows[(rows["about"] == about) & ((rows["name"] == name) | (name is None))]
    return part.iloc[0]


def test_everything_that_matters_is_said(screen):
    rows = inspect(screen)
    guesses = rows[rows["about"] == "obs"].set_index("name")["guess"].to_dict()
    assert guesses == {
        "target": "perturbation",
        "guide_id": "guide",
        "donor": "batch (a batch)",
        "well": "a batch, not usable as a batch",
        "pct_counts_mt": "covariate",
    }
    assert row(rows, "values", "X")["guess"] == "raw counts"
    assert row(rows, "genes")["guess"] == "gene_name"
    assert row(rows, "labels", "control")["guess"] == "NTC"
    assert row(rows, "left out")["name"] == "unassigned"
    assert row(rows, "left out")["detail"] == "40 cells"
    assert "1 control, 6 targets; 40 of 900 cells left out ('unassigned' 40)" in row(rows, "labels", "target")["detail"]
    assert "command" not in set(rows["about"]), "an AnnData has no file"


def test_the_command_works_as_it_is(screen, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    screen.write_h5ad("my screen.h5ad")
    assert main(["inspect", "my screen.h5ad"]) == 0
    command = capsys.readouterr().out.splitlines()[-1].strip()
    assert command == (
        "scpertbias audit 'my screen.h5ad' --groupby target --batch donor --guide guide_id --gene-symbols gene_name"
    )
    quick = ["--models", "mean", "--regimes", "full", "--n-random", "0"]
    assert main([*shlex.split(command)[1:], *quick]) == 0
    said = capsys.readouterr()
    assert "Labels\n" in said.err, "the audit echoes what it understood"
    assert "1 control, 6 targets" in said.err
    labels = pd.read_csv("my screen_audit/tables/labels.csv")
    assert labels.set_index("label")["meaning"].to_dict() == {
        **dict.fromkeys(set(screen.obs["target"]) - {"NTC", "unassigned"}, "target"), "NTC": "control", "unassigned": "unassigned",
    }  # fmt: skip


def test_a_dry_run_computes_nothing(screen, tmp_path, capsys):
    screen.write_h5ad(tmp_path / "x.h5ad")
    assert (
        main(["audit", str(tmp_path / "x.h5ad"), "--groupby", "target", "--dry-run", "--out", str(tmp_path / "out")])
        == 0
    )
    assert "--batch donor" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_options_overrule_the_guesses(screen, tmp_path):
    screen.write_h5ad(tmp_path / "x.h5ad")
    rows = inspect(tmp_path / "x.h5ad", groupby="guide_id", label_map="targets", reference=["non-targeting_sg*"])
    assert row(rows, "labels", "guide_id")["detail"].startswith("2 control labels, 12 guides")
    assert row(rows, "command")["detail"].endswith(
        "--groupby guide_id --reference 'non-targeting_sg*' --label-map targets --batch donor --gene-symbols gene_name"
    )
    with pytest.raises(KeyError, match="obs has no column"):
        inspect(screen, groupby="no")


def test_problems_are_named():
    plain = ad.AnnData(
        np.random.default_rng(0).normal(size=(50, 5)),
        obs=pd.DataFrame({"x": range(50)}, index=[f"c{i}" for i in range(50)]),
    )
    problems = inspect(plain).query("about == 'problem'")["detail"].tolist()
    assert problems[0].startswith("No column of obs looks like perturbation labels with a control (obs has 'x')")
    assert problems[1].startswith(
        "No matrix contains raw counts or log-normalized values (X: scaled values or residuals)"
    )
    profiles = spb.pp.profiles(spb.ds.papalexi_2021(), batch_key="bio_rep")
    assert "results of scpertbias" in inspect(profiles).query("about == 'problem'")["detail"].iloc[0]
    plain.obs["gene"] = ["STAT1", "JAK2"] * 25
    rows = inspect(plain, groupby="gene")
    assert "No label of obs['gene'] looks like a control" in rows.query("about == 'problem'")["detail"].iloc[0]


def test_many_guides_per_cell_are_refused_with_the_way_out(tmp_path):
    rng = np.random.default_rng(0)
    guides = [f"G{i}_sg{k}" for i in range(12) for k in (1, 2)]
    labels = [",".join(rng.choice(guides, rng.integers(1, 6), replace=False)) for _ in range(500)] + ["NTC"] * 60
    obs = pd.DataFrame({"guides": labels}, index=[f"c{i}" for i in range(560)])
    adata = ad.AnnData(
        rng.poisson(2.0, (560, 15)).astype("f4"), obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(15)])
    )
    adata.write_h5ad(tmp_path / "x.h5ad")
    rows = inspect(tmp_path / "x.h5ad")
    assert "high multiplicity of infection" in row(rows, "problem")["detail"]
    assert "--label-map single" in row(rows, "command")["detail"]


def test_text_is_for_a_terminal(screen):
    rows = inspect(screen)
    text = as_text(rows)
    assert max(map(len, text.splitlines())) < 200
    assert "Columns of obs" in text
    assert len(as_text(rows, brief=True)) < len(text) + 1
