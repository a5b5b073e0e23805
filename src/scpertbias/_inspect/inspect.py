"""Inspection of a file or an AnnData: contents, interpretation, and a command that audits it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd

from .._columns import COVARIATE, DEPTH, MIN_CONTROLS, OUTCOME, SPLIT, WORDS, levels, likely_batches
from .._labels import LabelMap, Labels, cautions, high_multiplicity, left_out, stored_map, summary
from .._log import some
from .._scale import LOGGED, NORMALIZED
from .guess import Columns, GeneNames, columns, gene_names, is_split, label_table, levels_of, scale
from .source import Source, of_anndata, opened

COLUMNS = ("about", "name", "guess", "detail")
ENOUGH, MOST_NUMBERS = 20, 20
N_NAMED = 4
Row = tuple[str, str, str, str]


def inspect(
    data: Any,
    *,
    groupby: str | None = None,
    reference: str | Sequence[str] | None = None,
    combination_sep: str | None = None,
    label_map: LabelMap | None = None,
    modality: str | None = None,
) -> pd.DataFrame:
    """Return one row per item of a file or an AnnData, with its interpretation and the reason."""
    options = {"reference": reference, "combination_sep": combination_sep, "label_map": stored_map(label_map)}
    map_file = str(label_map) if isinstance(label_map, str | os.PathLike) else None
    if isinstance(data, str | Path):
        path = Path(data)
        source_of: Any = opened(path, modality)
    else:
        path, source_of = None, nullcontext(of_anndata(data))
    with source_of as source:
        return pd.DataFrame(_rows(source, path, groupby, options, map_file), columns=list(COLUMNS))


def _rows(
    source: Source, path: Path | None, groupby: str | None, options: Mapping[str, Any], map_file: str | None
) -> list[Row]:
    genes = gene_names(source.var_names(), source.var)
    guess = columns(source.obs, genes, source.n_obs, groupby)
    rows = [
        ("data", "" if path is None else path.name, source.kind, f"{source.n_obs:,} cells × {source.n_vars:,} genes"),
        *_modalities(source),
    ]
    scales = {name: scale(read()) for name, read in source.matrices.items()}
    rows += [("values", name, *guessed) for name, guessed in scales.items()]
    rows += [("genes", "var_names", genes.key or "", genes.detail), *_feature_types(source)]
    labels, problems = None, []
    if source.made_here:
        problems = [
            "The file contains results of scpertbias, not cells. To write the page of an audit.h5mu again, run "
            "`scpertbias report`."
        ]
    elif guess.groupby is None:
        problems = [_no_labels(source)]
    elif guess.groupby not in guess.values:
        msg = f"obs has no column {groupby!r}; its columns are {list(guess.values)}."
        raise KeyError(msg)
    else:
        labels, why = label_table(guess, genes, **options)
        problems = [why] if why else []
    batches: dict[str, str] = {}
    if labels is not None:
        obs = pd.DataFrame({name: v.reset_index(drop=True) for name, v in guess.values.items()})
        batches = likely_batches(obs, labels.codes, str(guess.groupby))
    rows += [("obs", name, *_column(name, guess, labels, batches)) for name in guess.values]
    if labels is not None:
        rows += _labels(labels, str(guess.groupby))
        refusal = high_multiplicity(labels.table, str(guess.groupby))
        problems += [refusal] if refusal else []
    rows += [("problem", "", "", text) for text in (*problems, *_scale_problems(scales))]
    if path is not None and not (problems and labels is None):
        rows.append(
            (
                "command",
                "",
                "",
                _command(path, source, genes, guess, batches, scales, {**options, "label_map": map_file}, problems),
            )
        )
    return rows


def _modalities(source: Source) -> list[Row]:
    rows = [("data", source.modality, "modality used", "")] if source.modality else []
    rows += [
        ("data", name, "other modality", f"{n:,} cells × {k:,} features") for name, (n, k) in source.others.items()
    ]
    rows += [("data", f"obsm/{name}", "", " × ".join(map(str, shape))) for name, shape in source.slots.items()]
    return rows


def _feature_types(source: Source) -> list[Row]:
    key = next((c for c in ("feature_types", "feature_type") if c in source.var), None)
    if key is None:
        return []
    counts = source.var[key]().astype(str).value_counts()
    return [("genes", f"var[{key!r}]", "", ", ".join(f"{name}: {n}" for name, n in counts.items()))]


def _no_labels(source: Source) -> str:
    if not source.obs:
        guides = (
            "; guides called by Cell Ranger are in protospacer_calls_per_cell.csv" if source.kind == "10x h5" else ""
        )
        return f"obs has no columns, so the perturbation of each cell is unknown. Add a column, and write an .h5ad file{guides}."
    return (
        f"No column of obs looks like perturbation labels with a control (obs has {some(map(repr, source.obs), 8)}). "
        f"Pass --groupby with the column and --reference with the control."
    )


def _column(name: str, guess: Columns, labels: Labels | None, batches: Mapping[str, str]) -> tuple[str, str]:
    """Return the interpretation of a column of obs, and its levels."""
    values = guess.values[name]
    counts = levels_of(values)
    kind = guess.roles[name]
    n = values.nunique()
    if pd.api.types.is_numeric_dtype(values) and n > MOST_NUMBERS:
        text = f"{values.min():.4g} to {values.max():.4g}" if values.notna().any() else "missing"
    else:
        text = f"{n} level{'s' * (n != 1)}: {some((f'{level} ({k})' for level, k in counts.head(N_NAMED + 1).items()), N_NAMED)}"
    if name == guess.groupby:
        return "perturbation", text
    if name == guess.guide:
        return "guide", text
    if kind in (COVARIATE, DEPTH, OUTCOME, SPLIT):
        return kind, text
    if name in batches:
        return f"batch ({WORDS[batches[name]]})", text
    if kind in WORDS and labels is not None and 1 < values.nunique() <= len(values) // 20:
        found_levels = levels(values.reset_index(drop=True), labels.codes)
        why = (
            "the levels are the same groups of cells as the labels"
            if found_levels.of_labels
            else f"{found_levels.n_tested} of {found_levels.n} levels have at least {MIN_CONTROLS} control cells"
        )
        return f"{WORDS[kind]}, not usable as a batch", f"{text}; {why}"
    return "also possible perturbation labels" if name in guess.candidates else "", text


def _labels(labels: Labels, groupby: str) -> list[Row]:
    """Return the meaning of labels: a summary, one row per meaning, and the cells left out."""
    table = labels.table
    sizes = table[table["targets"] != ""].groupby("name")["n_cells"].sum()
    n_control = int(table.loc[table["meaning"] == "control", "n_cells"].sum())
    rows = [
        ("labels", groupby, "", summary(table)),
        ("labels", "control", labels.reference, f"{n_control:,} cells: {some(map(repr, labels.controls), N_NAMED)}"),
    ]
    for meaning, part in table.groupby("meaning", sort=False):
        if meaning in ("control", "unassigned"):
            continue
        examples = [
            f"{row.label!r}" + (f" of {row.targets!r}" if row.targets != row.label else "") for row in part.itertuples()
        ]
        rows.append(("labels", str(meaning), str(len(part)), f"{some(examples, N_NAMED)}; {part['reason'].iloc[0]}"))
    rows += [("left out", reason, "", f"{n:,} cells") for reason, n in left_out(table).items()]
    if n_small := int((sizes < ENOUGH).sum()):
        rows.append(("left out", f"under {ENOUGH} cells", "", f"{n_small} of {len(sizes)} perturbations"))
    return rows + [("note", "", "", text) for text in cautions(table, groupby)]


def _scale_problems(scales: Mapping[str, tuple[str, str]]) -> list[str]:
    if not scales or any(guessed in (*NORMALIZED, LOGGED) for guessed, _ in scales.values()):
        return []
    kinds = ", ".join(f"{name}: {guessed}" for name, (guessed, _) in scales.items())
    return [f"No matrix contains raw counts or log-normalized values ({kinds}); an audit needs one of these."]


def _command(
    path: Path,
    source: Source,
    genes: GeneNames,
    guess: Columns,
    batches: Mapping[str, str],
    scales: Mapping[str, tuple[str, str]],
    options: Mapping[str, Any],
    problems: Sequence[str],
) -> str:
    """Return the command that audits the file with this interpretation."""
    words = ["scpertbias", "audit", str(path)]
    if source.modality:
        words += ["--modality", source.modality]
    if guess.groupby != "perturbation":
        words += ["--groupby", str(guess.groupby)]
    references = [options["reference"]] if isinstance(options["reference"], str) else options["reference"] or ()
    for name in references:
        words += ["--reference", name]
    if options["combination_sep"] is not None:
        words += ["--combination-sep", options["combination_sep"]]
    label_map = "single" if problems and "label_map='single'" in problems[0] else options["label_map"]
    if label_map is not None:
        words += ["--label-map", label_map]
    for name, kind in batches.items():
        if kind == "batch" and name == next(iter(batches)):
            words += ["--batch", f'"{name}"' if "," in name else name]
    if guess.guide is not None:
        words += ["--guide", guess.guide]
    splits = [name for name, values in guess.values.items() if is_split(values)]
    if splits and "split" not in splits:  # which is the default
        words += ["--split-key", splits[0]]
    # Counts are preferred if both exist, because their totals are those of the data.
    usable = (*NORMALIZED, LOGGED)
    best = [name for kind in usable for name, (guessed, _) in scales.items() if guessed == kind]
    if best and scales.get("X", ("",))[0] not in usable:
        words += ["--layer", best[0].removeprefix("layers/")]
    if genes.key is not None:
        words += ["--gene-symbols", genes.key]
    return shlex.join(words)
