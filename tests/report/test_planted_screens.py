"""Every verdict on simulated screens whose truth is planted: one where it must be said, one where it must not."""

import warnings

import numpy as np
import pandas as pd
import pytest

import scpertbias as spb
from scpertbias import _store
from scpertbias._models import _base
from scpertbias._models._base import Solution, model
from scpertbias._report.content import answer, constant_models
from scpertbias._report.tables import read

pytestmark = pytest.mark.slow


class Said:
    """What the report says of an audit."""

    def __init__(self, mdata):
        made = answer(read(mdata), constant_models(mdata))
        self.verdict = {one["name"]: one["verdict"] for one in made["answer"]}
        self.text = {one["name"]: one["text"] for one in made["answer"]}
        self.sentences = {one["name"]: [s["text"] for s in one["sentences"] + one["details"]] for one in made["answer"]}
        self.cautions = [s["text"] for s in made["cautions"]]
        self.remarks = [s["text"] for some in made["remarks"].values() for s in some]
        self.models = dict(zip(made["scorecard"]["model"], made["scorecard"]["verdict"], strict=True))

    def about(self, name, start):
        """The one sentence that begins so, or nothing."""
        found = [text for text in self.sentences[name] if text.startswith(start)]
        assert len(found) <= 1
        return found[0] if found else ""


def predictions(adata):
    """Models that know the truth, only the shared axis, the truth of another perturbation, or three genes for all."""
    truth, rng = adata.uns["scpertbias_truth"], np.random.default_rng(0)
    control, delta = np.asarray(truth["expected_control"]), np.asarray(truth["expected_delta"])
    axis = delta.mean(axis=0) / np.linalg.norm(delta.mean(axis=0))
    stuck = delta.copy()
    stuck[:, np.argsort(-control)[5:8]] += 3 * np.abs(delta).max()
    effects = {
        "oracle": delta + rng.normal(0, 0.005, delta.shape),
        "axis": np.outer(delta @ axis, axis),
        "wrong": delta[rng.permutation(len(delta))],
        "stuck": stuck,
    }
    return {
        name: pd.DataFrame(control + d, index=list(truth["perturbations"]), columns=adata.var_names)
        for name, d in effects.items()
    }


def said(adata, *, brought=True, models=("mean", "ridge"), **asked):
    names = adata.uns["scpertbias_truth"]["perturbations"]
    held_out = adata.obs["perturbation"].isin(names[max(5, len(names) - 50) :])
    adata.obs["split"] = np.where(held_out, "test", "train")
    given = predictions(adata) if brought else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Said(
            spb.tl.audit(adata, models=models, regimes=("full", "no_mt_ribo"), predictions=given, n_random=0, **asked)
        )


@pytest.fixture(scope="module")
def confounded():
    """Mitochondrial and stress genes rise and ribosomal genes fall, more or less, whatever is perturbed."""
    return said(
        spb.ds.simulate(
            8_000, 250, 60, axis_strength=0.6, specific_strength=0.3, inert_fraction=0.0, control_fraction=0.3, rng=1
        )
    )


@pytest.fixture(scope="module")
def clean():
    """Every perturbation has a program of its own, and nothing is shared by all."""
    return said(
        spb.ds.simulate(
            5_000, 250, 60, axis_strength=0.0, specific_strength=0.8, inert_fraction=0.0, control_fraction=0.05, rng=1
        )
    )


@pytest.fixture(scope="module")
def null():
    """Nothing does anything."""
    return said(spb.ds.simulate(2_500, 250, 30, axis_strength=0.0, specific_strength=0.0, rng=1), brought=False)


def test_whether_the_perturbations_worked(confounded, clean, null):
    assert confounded.verdict["screen"] in ("yes", "partly")
    assert null.verdict["screen"] != "yes"
    assert int(clean.text["screen"].removeprefix("An effect is detected in ").split()[0]) > 0.7 * 60
    assert null.text["screen"].startswith("An effect is detected in none of 30")
    assert "move mostly along the shared axis" in confounded.about("screen", "Of these ")
    assert clean.about("screen", "Of these ") == "", "no axis to say it of"


def test_whether_the_screen_is_confounded_and_by_what(confounded, clean, null):
    assert confounded.verdict["confounding"] == "yes"
    assert "lies on one axis that perturbations share, made of" in confounded.text["confounding"]
    assert "mitochondrial genes" in confounded.text["confounding"]
    assert "no more than chance" not in confounded.about("confounding", "Mitochondrial genes carry")
    assert "cannot be told" not in confounded.about("confounding", "Mitochondrial genes carry")
    assert confounded.about("confounding", "Stress-response genes (upr_isr) carry")
    assert clean.verdict["confounding"] == "no"
    assert "no more than chance" in clean.about("confounding", "Ribosomal genes carry")
    assert "no random sets" in clean.about("confounding", "Mitochondrial genes carry"), (
        "fewer than five genes are no set"
    )
    assert clean.about("confounding", "Stress-response genes (upr_isr) carry") == ""
    assert null.verdict["confounding"] == "inconclusive"
    assert "no reproducible response" in null.text["confounding"]


def test_which_model_is_to_be_trusted(confounded, clean, null):
    assert confounded.verdict["models"] == "yes"
    assert confounded.text["models"].startswith("oracle: closer to the truth")
    assert confounded.models["oracle"] == "better than the mean, right about what is specific"
    assert confounded.models["axis"] == "better than the mean, along the shared axis only"
    assert confounded.models["wrong"] == confounded.models["stuck"] == "worse than the mean"
    assert confounded.models["ridge"] == "one prediction for all"
    assert clean.models["oracle"] == "better than the mean, right about what is specific"
    assert clean.models["wrong"] == "worse than the mean"
    assert null.verdict["models"] in ("no", "inconclusive")


def test_models_are_told_apart_from_the_mean(confounded):
    assert "axis" not in confounded.text["models"].split(":")[0]
    assert "oracle" in confounded.about("models", "Closer to the truth than the mean baseline")
    assert "stuck" in confounded.about("models", "Farther from the truth than the mean baseline")
    assert "ridge predicts the same" in " ".join(confounded.sentences["models"])


def test_whether_predictions_fit_their_own_perturbation(confounded):
    assert "oracle" in confounded.about("models", "Predictions fit their own perturbation better than a wrong one")
    assert "oracle" in confounded.about("models", "Off the axis that perturbations share they do so too")


def test_what_retraining_changes_of_models_that_solve_genes_apart(confounded):
    assert confounded.verdict["retraining"] == "no"
    assert "nothing changes for ridge (gain 0" in confounded.about("retraining", "Retrained without mitochondrial")


@pytest.fixture
def planted_models():
    """Two models, both the mean with an error in every gene: ``leaner`` errs as long as it sees mitochondrial genes, ``steady`` errs half as much, always."""

    def erring(size, *, until_without):
        def solve(problem):
            mean = problem.means[problem.perturbed].mean(axis=0)
            sees = any(symbol.startswith("MT-") for symbol in problem.symbols)
            error = size * (sees or not until_without)
            signs = np.where(np.arange(len(problem.names))[:, None] % 2, 1.0, -1.0)
            predictions = mean + error * signs * np.ones_like(mean)
            predictions[0] = problem.control
            return Solution(predictions)

        return solve

    def fit():
        """Stand in for a public function."""

    made = {"leaner": erring(0.06, until_without=True), "steady": erring(0.03, until_without=False)}
    for name, solve in made.items():
        model(name, unseen="the mean, with an error", citation="", solve=solve)(fit)
    yield tuple(made)
    for name in made:
        del _base._REGISTRY[name]


def test_a_model_that_leans_on_the_confounders_is_found_out(planted_models, confounded):
    adata = spb.ds.simulate(4_000, 250, 40, axis_strength=0.6, inert_fraction=0.0, rng=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = Said(spb.tl.audit(adata, models=("mean", *planted_models), regimes=("full", "no_mt_ribo"), n_random=5))
    assert found.verdict["retraining"] == "yes"
    assert found.text["retraining"].startswith(
        "Yes: leaner does better without mitochondrial and ribosomal genes, and more so"
    )
    assert "a gain for leaner" in found.about("retraining", "Retrained without mitochondrial and ribosomal genes")
    assert "nothing changes for steady" in found.about(
        "retraining", "Retrained without mitochondrial and ribosomal genes"
    )
    assert "leaner gains" in found.about(
        "retraining", "Retraining without mitochondrial and ribosomal genes helps more"
    )
    ranking = found.about("retraining", "The ranking changes")
    assert "steady is before leaner if trained on all genes, and behind it if retrained" in ranking
    assert confounded.about("retraining", "The ranking changes") == ""
    assert confounded.verdict["retraining"] == "no"


def test_which_genes_recur(confounded, clean, null):
    assert confounded.verdict["recurrence"] == "yes"
    for screen in (confounded, clean):
        stuck = [t for t in screen.sentences["recurrence"] if " stuck:" in t]
        assert len(stuck) == 1
        assert "oracle" not in screen.text["recurrence"].split(":")[1], "the truth does not recur beyond the data"
        assert "oracle" in screen.about("recurrence", "No gene recurs more often than in the data")
    assert null.verdict["recurrence"] == "inconclusive"


def test_the_score_that_rewards_noise_is_used_only_without_it(confounded, clean):
    used, refused = "The mean baseline, which knows nothing", "The score pearson_delta is not used here"
    assert any(t.startswith(used) for t in confounded.remarks)
    assert not any(t.startswith(refused) for t in confounded.remarks)
    assert any(t.startswith(refused) for t in clean.remarks)
    assert not any(t.startswith(used) for t in clean.remarks)


def test_few_perturbations_make_rough_intervals(confounded):
    few = said(spb.ds.simulate(2_500, 250, 25, axis_strength=0.6, specific_strength=0.3, inert_fraction=0.0, rng=1))
    rough = "Under 50 held-out perturbations"
    assert not any(t.startswith(rough) for t in confounded.cautions)
    assert any(t.startswith(rough) for t in few.cautions)
    assert "approximate" in few.text["models"]
    assert "approximate" not in few.text["confounding"], "of this screen: other cells, not other perturbations"
    assert "approximate" not in confounded.text["models"] + confounded.text["confounding"]


@pytest.fixture(scope="module")
def panel():
    """A screen of two batches with many measured targets."""
    return spb.ds.simulate(4_000, 1187, 100, n_batches=2, batch_strength=0.3, keep_counts=False, rng=1)


def test_values_beside_their_gene_names_are_seen(panel):
    shifted = panel.copy()
    shifted.X = panel.X[:, np.roll(np.arange(panel.n_vars), 1)]
    start = "Values seem to lie beside their gene names"
    moved = said(shifted, brought=False, models=(), batch_key="gem_group")
    assert any(t.startswith(start) for t in moved.cautions)
    assert moved.about("screen", "No shift of values") == ""
    right = said(panel.copy(), brought=False, models=(), batch_key="gem_group")
    assert not any(t.startswith(start) for t in right.cautions)
    assert right.about("screen", "No shift of values against gene names is proposed")
    assert right.text["models"] == "No model was fitted: this report is about the screen alone."


def test_batches_that_were_not_given_and_genes_that_are_not_there(panel):
    few = panel[:, ~panel.var_names.str.match("RP[SL]|MT-")].copy()
    few.uns = dict(panel.uns)
    found = Said(_audited_alone(few, batch_key=None))
    assert any("gem_group" in t and "`batch_key` was not given" in t for t in found.cautions)
    assert any("mitochondrial" in t for t in found.cautions)
    assert found.about("confounding", "What mitochondrial genes carry cannot be asked")
    given = Said(_audited_alone(panel, batch_key="gem_group"))
    assert not any("`batch_key` was not given" in t for t in given.cautions)
    assert given.about("confounding", "What mitochondrial genes carry cannot be asked") == ""


def _audited_alone(adata, **asked):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return spb.tl.audit(adata, models=(), **asked)


def test_attributions_that_say_nothing(small_audit):
    table = _store.table(small_audit, "attribution_check", made_by="spb.tl.audit")
    assert set(table["flag"]) == {"ok"}
    assert not any(t.startswith("Attributions that say nothing") for t in Said(small_audit).cautions)
