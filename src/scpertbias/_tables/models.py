"""The models of an audit, and those that were left out."""

from __future__ import annotations

from dataclasses import replace

from .table import MODEL, NOTE, REGIME, Column, Table

KIND = Column("kind", "str", "Kind of model; ``external`` for external predictions.")
N_UNPREDICTED = Column(
    "n_unpredicted",
    "int64",
    "Number of perturbations in the screen for which the model gives no prediction.",
    label="not predicted",
    tip="number of perturbations in the screen for which the model gives no prediction",
)
REASON = Column("reason", "str", "Reason why the model or the regime was left out.")

MODELS = Table(
    "models",
    "spb.tl.audit",
    "The models of every regime.",
    "One row per model.",
    (MODEL, KIND, N_UNPREDICTED, NOTE),
    regime_at=1,
)

DESCRIBED = Table(
    "described",
    "spb.report",
    "Descriptions of the models that were trained on all genes.",
    "One row per model.",
    (
        MODEL,
        KIND,
        Column(
            "unseen",
            "str",
            "What the model predicts for an unseen perturbation.",
            label="prediction for an unseen perturbation",
            form="prose",
        ),
        Column("citation", "str", "Citation; empty if unknown.", label="citation", form="line"),
        N_UNPREDICTED,
    ),
)

TRAINING = Table(
    "training",
    "spb.tl.audit with models that are trained in epochs",
    "Training history of models that are trained in epochs; additional columns contain the losses of the model.",
    "One row per model, regime and epoch.",
    (
        MODEL,
        REGIME,
        Column("epoch", "int64", "Number of the epoch, starting at 1."),
        Column("seconds", "float64", "Duration of the epoch.", unit="seconds", optional=True),
        Column(
            "best",
            "boolean",
            "Whether the epoch was the best so far. The model keeps the weights of the last such epoch.",
            label="best so far",
            tip="the model keeps the weights of the last epoch that was the best so far",
            optional=True,
        ),
    ),
)

MODELS_LEFT_OUT = Table(
    "models_left_out",
    "spb.tl.audit",
    "Models that were left out.",
    "One row per model and regime; empty if all models were fitted in all regimes.",
    (MODEL, REGIME, REASON),
)

REGIMES_LEFT_OUT = Table(
    "regimes_left_out",
    "spb.pp.regimes or spb.tl.audit",
    "Regimes that were left out.",
    "One row per regime that could not be created; empty if all were created.",
    (REGIME, replace(REASON, sentence="Reason why the regime was left out.")),
)

PLANTED = Table(
    "planted",
    "scpertbias demo",
    "Simulated quantities and their estimates from the audit.",
    "One row per quantity.",
    (
        Column("quantity", "str", "Name of the quantity.", form="prose"),
        Column("planted", "str", "Simulated value.", label="true value", form="prose"),
        Column("found", "str", "Estimate from the audit.", label="estimate", form="prose"),
    ),
)

TABLES = (MODELS, DESCRIBED, TRAINING, MODELS_LEFT_OUT, REGIMES_LEFT_OUT, PLANTED)
