"""The models of an audit, and those that were left out."""

from __future__ import annotations

from .table import MODEL, NOTE, REGIME, Column, Table

KIND = Column("kind", "str", "What was fitted; ``external`` for predictions that were added.")
N_UNPREDICTED = Column(
    "n_unpredicted",
    "int64",
    "Perturbations of the screen that the model cannot predict.",
    label="not predicted",
    tip="perturbations of the screen that the model cannot predict",
)
REASON = Column("reason", "str", "Reason.")

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
    "Descriptions of the models of the full screen.",
    "One row per model.",
    (
        MODEL,
        KIND,
        Column(
            "unseen",
            "str",
            "Its prediction for an unseen perturbation.",
            label="prediction for an unseen perturbation",
            form="prose",
        ),
        Column("citation", "str", "Citation; empty if unknown.", label="source", form="line"),
        N_UNPREDICTED,
    ),
)

TRAINING = Table(
    "training",
    "spb.tl.audit with models that learn in epochs",
    "Training of models that learn in epochs; further columns are the losses of the model.",
    "One row per model, regime and epoch.",
    (
        MODEL,
        REGIME,
        Column("epoch", "int64", "Epoch, from 1."),
        Column("seconds", "float64", "Duration of the epoch.", unit="seconds", optional=True),
        Column(
            "best",
            "boolean",
            "Whether it was the best epoch so far; the weights of the last such epoch are kept.",
            label="best so far",
            tip="the weights of the last such epoch are kept",
            optional=True,
        ),
    ),
)

MODELS_LEFT_OUT = Table(
    "models_left_out",
    "spb.tl.audit",
    "Models that were left out.",
    "One row per model and regime; none if all models were fitted everywhere.",
    (MODEL, REGIME, REASON),
)

REGIMES_LEFT_OUT = Table(
    "regimes_left_out",
    "spb.pp.regimes or spb.tl.audit",
    "Regimes that were left out.",
    "One row per regime that could not be made; none if all were made.",
    (REGIME, REASON),
)

PLANTED = Table(
    "planted",
    "scpertbias demo",
    "What was simulated, and what the audit found.",
    "One row per quantity.",
    (
        Column("quantity", "str", "What is compared.", form="prose"),
        Column("planted", "str", "What was planted.", label="true value", form="prose"),
        Column("found", "str", "What the audit found.", label="estimate", form="prose"),
    ),
)

TABLES = (MODELS, DESCRIBED, TRAINING, MODELS_LEFT_OUT, REGIMES_LEFT_OUT, PLANTED)
