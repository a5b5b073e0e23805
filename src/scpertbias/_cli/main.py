"""The command line: audit a file, render a report again, run the demo."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import as_toml, parsed
from .export import export
from .flags import in_flags
from .inspection import echo_inspection, print_inspection
from .notes import UsageError, batch_columns, noted, sayer
from .options import model_params
from .pages import render_comparison, render_report
from .signals import StopSignal, stoppable

if TYPE_CHECKING:
    from mudata import MuData


OK, BAD_DATA, USAGE = 0, 1, 2
SIMULATED = (20_000, 1187, 150)
INTERRUPTED = "scpertbias: interrupted; incomplete files were removed"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    args = parsed(argv)
    args.command_line, args.start = shlex.join(["scpertbias", *argv]), time.perf_counter()
    runs = {
        "inspect": print_inspection,
        "audit": _audit,
        "export": export,
        "report": render_report,
        "compare": render_comparison,
        "demo": _demo,
        "schema": _schema,
    }
    try:
        # Inspecting a file needs neither figures nor scanpy; without them it is fast.
        with (
            nullcontext()
            if args.command == "inspect" or getattr(args, "dry_run", False)
            else _settings(quiet=args.quiet),
            stoppable(),
        ):
            return runs[args.command](args)
    except UsageError as err:
        print(f"scpertbias: error: {err}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:  # the reader of the output is closed; the files are written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (OSError, KeyError, ValueError, TypeError) as err:
        from .._files import one_line

        print(f"scpertbias: error: {in_flags(one_line(err))}", file=sys.stderr)
        return BAD_DATA
    except StopSignal as stop:
        print(INTERRUPTED, file=sys.stderr)
        return 128 + stop.signal
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        return 128 + signal.SIGINT


@contextmanager
def _settings(*, quiet: bool) -> Iterator[None]:
    """Open no windows, and set the progress output, while the command runs."""
    import matplotlib as mpl
    import scanpy as sc

    before = sc.settings.verbosity
    sc.settings.verbosity = 1 if sys.stderr.isatty() and not quiet else 0  # bars are for terminals
    try:
        with mpl.rc_context():
            mpl.use("agg")
            yield
    finally:
        sc.settings.verbosity = before


def _schema(_args: argparse.Namespace) -> int:
    from .._report import schema

    print(schema(), end="")
    return OK


def _audit(args: argparse.Namespace) -> int:
    from .._files import FILES, TABLES, objection, whole_folder

    out = args.out or Path(f"{args.file.name.removesuffix(args.file.suffix)}_audit")
    if args.dry_run:
        return print_inspection(args)
    if why := objection(out, force=args.force):
        raise UsageError(why)
    mdata = _audit_file(args)
    try:
        with whole_folder(out) as folder:
            _write(mdata, folder, sayer(args))
            (folder / "config.toml").write_text(as_toml(args), encoding="utf-8")
    except OSError as err:
        msg = f"{out} cannot be written ({err}); its earlier contents are unchanged"
        raise OSError(msg) from err
    for line in _answer_lines(mdata, verbose=args.verbose):
        print(in_flags(line))
    print(*(f"  {out / name}" for name in (*FILES, TABLES)), sep="\n")
    return OK


def _audit_file(args: argparse.Namespace) -> MuData:
    """Audit a file, and store the settings with the tables."""
    from .. import _store, get, pp, tl
    from .._report.planted import planted_table
    from .._report.provenance import Checksum, versions
    from .calibration import null_rates
    from .inputs import holds_counts, predictions_by_model, read_cells, read_net

    say, start = sayer(args), time.perf_counter()
    if not args.quiet:
        echo_inspection(args)
    say(f"reading {args.file}")
    checksum = Checksum(args.file)
    adata, truth = read_cells(args.file, layer=args.layer, memory=args.memory, modality=args.modality)
    net, sets = (None if path is None else read_net(path) for path in (args.net, args.sets))
    how = {name: vars(args)[name] for name in ("kind", "control", "fitted_on", "obsm", "test")}
    external = predictions_by_model(args.predictions or [], how)
    with noted(say) as notes:
        if args.species != "human":
            pp.annotate_confounders(adata, species=args.species, gene_symbols=args.gene_symbols)
        normalize = holds_counts(adata, args.layer)
        say("auditing" + (" raw counts, normalized on the fly" if normalize else ""))
        mdata = tl.audit(adata, net, sets=sets, predictions=external, normalize=normalize, **_audit_arguments(args))
        if args.calibrate:
            say(f"auditing {args.calibrate} screens without effects, which consist of control cells only")
            _store.put(
                mdata, calibration=null_rates(adata, mdata, {**_audit_arguments(args), "normalize": normalize}, args)
            )
    if truth is not None:
        _store.put(mdata, planted=planted_table(truth, get.check(mdata), get.confounding(mdata)))
    record = {
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "seconds": round(time.perf_counter() - start, 1),
        "input": str(args.file),
        "sha256": checksum.value(),
        "command": args.command_line,
        "versions": versions(),
        "warnings": notes,
        "title": args.title or f"Perturb-seq audit: {args.file.name}",
    }
    _store.put(mdata, report=record)
    return mdata


def _audit_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of the audit that are set on the command line; the function has the other defaults."""
    from ..tl._audit.audit import MODELS

    models = [] if args.models == ["none"] else args.models
    if args.train:
        models = [*(MODELS if models is None else models), *_trained(args)]
    options = {
        "models": models,
        "regimes": args.regimes,
        "covariates": args.covariates,
        "reference": args.reference,
        "combination_sep": args.combination_sep,
        "label_map": args.label_map,
        "guide_key": args.guide,
        "gene_symbols": args.gene_symbols,
        "layer": args.layer,
        "n_folds": args.n_folds,
        "size_factors": args.size_factors,
        "n_random": args.n_random,
        "n_top_genes": args.n_top_genes,
        "n_jobs": args.n_jobs,
        "cache": args.cache,
        "model_params": model_params(args.params or []) or None,
        "keep_predictions": False if args.tables_only else None,
    }
    always = {
        "batch_key": batch_columns(args.batch),
        "groupby": args.groupby,
        "split_key": args.split_key,
        "min_cells": args.min_cells,
        "target_sum": args.target_sum,
        "rng": args.seed,
    }
    return always | {key: value for key, value in options.items() if value is not None}


def _trained(args: argparse.Namespace) -> list[Any]:
    """Return the models of --train."""
    from .. import tl

    options = {name: getattr(args, name) for name in ("kind", "control")}
    options |= {"folds": args.train_folds, "n_random": args.train_random, "shell": args.train_shell}
    options |= {"time_limit": args.train_time_limit, "train_only": not args.train_all_cells}
    return [tl.external_model(name, command=command, **options) for name, command in args.train]


def _write(mdata: MuData, folder: Path, say: Any) -> None:
    from .. import _compat
    from .._files import TABLES
    from .._report import report, to_json
    from .._report.tables import write_tables

    say("writing the report")
    report(mdata, folder / "audit.html")
    (folder / "audit.json").write_text(to_json(mdata), encoding="utf-8")
    write_tables(mdata, folder / TABLES)
    _compat.write_h5mu(mdata, str(folder / "audit.h5mu"))


def _demo(args: argparse.Namespace) -> int:
    """Write two screens to files, and audit them with the command line."""
    from .. import ds
    from .._files import objection, whole_file

    start = args.start
    runs = {
        "papalexi_2021": ["--batch", "bio_rep", "--covariates", "p_mito", "--title", "Papalexi et al. 2021, THP-1"],
        "simulated": ["--net", str(args.out / "simulated_net.csv"), "--title", "A simulated K562 screen"],
    }
    if args.out.is_dir():
        own = {*runs, *(f"{name}.h5ad" for name in runs), "simulated_net.csv"}
        foreign = [p.name for p in sorted(args.out.iterdir()) if p.name not in own]
        if foreign:
            msg = f"{args.out} contains files that the demo did not create ({', '.join(foreign[:3])}); choose another --out"
            raise UsageError(msg)
    for name in runs:
        if why := objection(args.out / name, force=True):
            raise UsageError(why)
    args.out.mkdir(parents=True, exist_ok=True)
    sayer(args)("writing two screens: a bundled one and a simulated one")
    with whole_file(args.out / "papalexi_2021.h5ad") as path:
        ds.papalexi_2021().write_h5ad(path, compression="gzip")
    # With modules that share most of their program, and a good net, graph models on the perturbations axis can learn.
    simulated = ds.simulate(*SIMULATED, module_share=0.8, keep_counts=False)
    with whole_file(args.out / "simulated.h5ad") as path:
        simulated.write_h5ad(path, compression="gzip")
    with whole_file(args.out / "simulated_net.csv") as path:
        ds.simulate_net(simulated, degree=20, noise=0.1).to_csv(path, index=False)
    for name, options in runs.items():
        argv = ["audit", str(args.out / f"{name}.h5ad"), *options, "--out", str(args.out / name), "--force"]
        audit = parsed([*argv, *(["--quiet"] if args.quiet else [])])
        audit.command_line, audit.start = shlex.join(["scpertbias", *argv]), start
        print(f"$ {audit.command_line}", flush=True)
        _audit(audit)
        print()
    print(f"The demo took {time.perf_counter() - start:.0f} s. Open the two audit.html files in a browser.")
    return OK


def _answer_lines(mdata: MuData, *, verbose: bool) -> list[str]:
    """Return the verdicts, with ``verbose`` their evidence, and for a simulated screen the simulated quantities."""
    from .._report.content import content

    page = content(mdata)
    lines = []
    for one in page["answer"]:
        lines += [one["question"], f"  {one['text']}", *([f"  {one['calibration']}"] if one["calibration"] else [])]
        lines += [f"  - {sentence['text']}" for sentence in one["sentences"] + one["details"] if verbose]
    if cautions := [caution for caution in page["cautions"] if verbose or caution["severe"]]:
        lines += ["Read with care", *(f"  - {caution['text']}" for caution in cautions)]
    planted = [] if page["planted"] is None else page["planted"].to_dict("records")
    return lines + [
        f"Simulated {row['quantity']}: {row['planted']}. Found by the audit: {row['found']}." for row in planted
    ]
