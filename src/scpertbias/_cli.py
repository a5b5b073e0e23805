"""The command line: audit a file, render a report again, run the demo."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mudata import MuData

OK, BAD_DATA, USAGE, INTERRUPTED = 0, 1, 2, 130
EXIT_CODES = (
    "exit codes: 0 done; 1 the data or a file are not as needed; 2 wrong usage, or output refused; 130 interrupted"
)
SIMULATED = (20_000, 1187, 150)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    args = parser.parse_args(argv)
    args.command_line, args.start = shlex.join(["scpertbias", *argv]), time.perf_counter()
    try:
        with _settings(quiet=getattr(args, "quiet", False)):
            return int(args.run(args))
    except _UsageError as err:
        print(f"scpertbias: error: {err}", file=sys.stderr)
        return USAGE
    except (OSError, KeyError, ValueError, TypeError) as err:
        from ._files import one_line

        print(f"scpertbias: error: {one_line(err)}", file=sys.stderr)
        return BAD_DATA
    except KeyboardInterrupt:
        print("scpertbias: interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED


class _UsageError(Exception):
    """What argparse cannot see: output that would be overwritten, options that do not fit."""


def _parser() -> argparse.ArgumentParser:
    from importlib.metadata import version

    parser = argparse.ArgumentParser(
        prog="scpertbias",
        description="Ask of a Perturb-seq screen what prediction models learn from it.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"scpertbias {version('scpertbias')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _audit_parser(commands.add_parser("audit", help="audit a screen and write the report", epilog=EXIT_CODES))
    again = commands.add_parser("report", help="render the page of an audit again", epilog=EXIT_CODES)
    again.add_argument("file", type=Path, metavar="FILE", help="audit.h5mu that `scpertbias audit` wrote")
    again.add_argument("--out", type=Path, required=True, metavar="FILE.html", help="page to write")
    again.add_argument("--title", help="title of the page; by default the stored one")
    again.add_argument("--force", action="store_true", help="replace a page that exists")
    again.set_defaults(run=_report)
    demo = commands.add_parser("demo", help="audit a real and a simulated screen", epilog=EXIT_CODES)
    demo.add_argument("--out", type=Path, default=Path("scpertbias_demo"), metavar="DIR", help="default: %(default)s")
    demo.add_argument("--quiet", action="store_true", help="no progress on stderr")
    demo.set_defaults(run=_demo)
    return parser


def _audit_parser(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    many: dict[str, Any] = {"action": "append", "metavar": "NAME"}
    add("file", type=Path, metavar="FILE", help="cells: .h5ad or .zarr; raw counts are normalized on the fly")
    add("--groupby", default="perturbation", help="column of obs that names each cell's perturbation (%(default)s)")
    add("--reference", **many, help="the control: a name or a pattern such as 'non-targeting*'; repeatable")
    add("--strata", **many, help="column of obs with batches, donors or cell lines; repeatable")
    add("--guide", metavar="COLUMN", help="column of obs with guides: halves are then alternating guides")
    add("--gene-symbols", metavar="COLUMN", help="column of var with gene symbols")
    add("--covariates", **many, help="column of obs to regress out (pct_counts_mt, pct_counts_ribo); repeatable")
    add("--layer", help="layer to read instead of X")
    add("--min-cells", type=int, default=20, help="perturbations with fewer cells are left out (%(default)s)")
    add("--predictions", action="append", metavar="NAME=FILE", help="another model's predictions: .h5ad, .csv or .tsv "
        "(perturbations × genes, first column the perturbation); repeatable")  # fmt: skip
    add("--net", type=Path, metavar="FILE", help="gene network: .csv or .tsv with source, target and optional weight")
    add("--models", action="append", metavar="NAME", help="models to fit, 'none' for the screen alone; repeatable")
    add("--regimes", action="append", metavar="NAME", help="full, no_mt, no_mt_ribo, regressed; repeatable")
    add("--n-folds", type=int, help="folds (5; with 25 perturbations or fewer one fold each)")
    add("--target-sum", type=float, default=1e4, help="counts that a cell is scaled to, for raw counts (%(default)g)")
    add("--size-factors", metavar="COLUMN", help="column of obs with each cell's size, for raw counts")
    add("--species", choices=("human", "mouse"), default="human", help="names of MT and RP genes (%(default)s)")
    add("--seed", type=int, default=0, help="(%(default)s)")
    add("--title", help="title of the report")
    add("--out", type=Path, metavar="DIR", help="folder to write; default: FILE's name with _audit, here")
    add("--force", action="store_true", help="replace an earlier audit in DIR")
    add("--quiet", action="store_true", help="no progress and notes on stderr")
    parser.set_defaults(run=_audit)


@contextmanager
def _settings(*, quiet: bool) -> Iterator[None]:
    """No window, and progress as asked, for as long as the command runs."""
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


def _report(args: argparse.Namespace) -> int:
    from ._report import report
    from ._report._inputs import read_audit

    if args.out.exists() and not args.force:
        msg = f"{args.out} exists; pass --force to replace it"
        raise _UsageError(msg)
    report(read_audit(args.file), args.out, title=args.title)
    print(args.out)
    return OK


def _audit(args: argparse.Namespace) -> int:
    from ._report._folder import objection, whole_folder
    from ._report._inputs import FORMATS

    out = args.out or Path(f"{args.file.name.removesuffix(args.file.suffix)}_audit")
    if args.file.suffix not in FORMATS:
        msg = f"{args.file.name}: FILE must end in {' or '.join(FORMATS)}"
        raise _UsageError(msg)
    if why := objection(out, force=args.force):
        raise _UsageError(why)
    mdata = _made(args)
    with whole_folder(out) as folder:
        _write(mdata, folder, _say(args))
    for line in _spoken(mdata):
        print(line)
    print(*(f"  {out / name}" for name in ("audit.html", "audit.json", "audit.h5mu", "tables")), sep="\n")
    return OK


def _made(args: argparse.Namespace) -> MuData:
    """Audit a file, and store beside the tables how that was done."""
    from . import _store, get, pp, tl
    from ._files import one_line
    from ._report._inputs import holds_counts, read_cells, read_net, read_predictions
    from ._report._planted import planted_table
    from ._report._provenance import sha256, versions

    say, start = _say(args), time.perf_counter()
    say(f"reading {args.file}")
    adata, truth = read_cells(args.file)
    net = None if args.net is None else read_net(args.net)
    brought = {name: read_predictions(path) for name, path in map(_name_and_path, args.predictions or [])}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if args.species != "human":
            pp.annotate_confounders(adata, species=args.species, gene_symbols=args.gene_symbols)
        normalize = holds_counts(adata, args.layer)
        say("auditing" + (" raw counts, normalized on the fly" if normalize else ""))
        mdata = tl.audit(adata, net, predictions=brought, normalize=normalize, **_asked(args))
    notes = list(dict.fromkeys(one_line(w.message) for w in caught))
    for note in notes:
        say(f"note: {note}")
    if truth is not None:
        _store.put(mdata, planted=planted_table(truth, get.check(mdata), get.confounding(mdata)))
    record = {
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "seconds": round(time.perf_counter() - start, 1),
        "input": str(args.file),
        "sha256": sha256(args.file),
        "command": args.command_line,
        "versions": versions(),
        "warnings": notes,
        "title": args.title or f"Perturb-seq audit: {args.file.name}",
    }
    _store.put(mdata, report=record)
    return mdata


def _asked(args: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of the audit that were given; the defaults are those of the function."""
    models = [] if args.models == ["none"] else args.models
    given = {
        "models": models,
        "regimes": args.regimes,
        "covariates": args.covariates,
        "reference": args.reference,
        "strata": args.strata,
        "guide_key": args.guide,
        "gene_symbols": args.gene_symbols,
        "layer": args.layer,
        "n_folds": args.n_folds,
        "size_factors": args.size_factors,
    }
    always = {"groupby": args.groupby, "min_cells": args.min_cells, "target_sum": args.target_sum, "rng": args.seed}
    return always | {key: value for key, value in given.items() if value is not None}


def _write(mdata: MuData, folder: Path, say: Any) -> None:
    from . import _compat
    from ._report import report, to_json
    from ._report._folder import TABLES
    from ._report._tables import write_tables

    say("writing the report")
    report(mdata, folder / "audit.html")
    (folder / "audit.json").write_text(to_json(mdata), encoding="utf-8")
    write_tables(mdata, folder / TABLES)
    _compat.write_h5mu(mdata, str(folder / "audit.h5mu"))


def _demo(args: argparse.Namespace) -> int:
    """Make two screens as files, and audit them as a user would."""
    from . import ds
    from ._report._folder import objection

    start = args.start
    runs = {
        "papalexi_2021": ["--strata", "bio_rep", "--covariates", "p_mito", "--title", "Papalexi et al. 2021, THP-1"],
        "simulated": ["--net", str(args.out / "simulated_net.csv"), "--title", "A simulated K562 screen"],
    }
    if args.out.is_dir():
        known = {*runs, *(f"{name}.h5ad" for name in runs), "simulated_net.csv"}
        foreign = [p.name for p in sorted(args.out.iterdir()) if p.name not in known]
        if foreign:
            msg = f"{args.out} holds files that are no demo's ({', '.join(foreign[:3])}); choose another --out"
            raise _UsageError(msg)
    for name in runs:
        if why := objection(args.out / name, force=True):
            raise _UsageError(why)
    args.out.mkdir(parents=True, exist_ok=True)
    _say(args)("making the screens: one bundled, one simulated")
    ds.papalexi_2021().write_h5ad(args.out / "papalexi_2021.h5ad", compression="gzip")
    # Modules that share most of their program, and a good net: the graph models on the perturbations axis can learn.
    simulated = ds.simulate(*SIMULATED, module_share=0.8, keep_counts=False)
    simulated.write_h5ad(args.out / "simulated.h5ad", compression="gzip")
    ds.simulate_net(simulated, degree=20, noise=0.1).to_csv(args.out / "simulated_net.csv", index=False)
    for name, options in runs.items():
        argv = ["audit", str(args.out / f"{name}.h5ad"), *options, "--out", str(args.out / name), "--force"]
        audit = _parser().parse_args([*argv, *(["--quiet"] if args.quiet else [])])
        audit.command_line, audit.start = shlex.join(["scpertbias", *argv]), start
        print(f"$ {audit.command_line}", flush=True)
        audit.run(audit)
        print()
    print(f"The demo took {time.perf_counter() - start:.0f} s. Open the two audit.html in a browser.")
    return OK


def _name_and_path(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not name or not path:
        msg = f"--predictions {text}: NAME=FILE is expected"
        raise _UsageError(msg)
    return name, Path(path)


def _spoken(mdata: MuData) -> list[str]:
    """Return the answer's sentences, and of a simulated screen what was planted and found."""
    from ._report._content import content

    made = content(mdata)
    lines = []
    for one in made["answer"]:
        lines += [one["question"], f"  {one['text']}", *(f"  - {said['text']}" for said in one["sentences"])]
    if made["cautions"]:
        lines += ["Read with care", *(f"  - {said['text']}" for said in made["cautions"])]
    planted = [] if made["planted"] is None else made["planted"].to_dict("records")
    return lines + [f"Planted, {row['quantity']}: {row['planted']}. Found: {row['found']}." for row in planted]


def _say(args: argparse.Namespace) -> Any:
    def say(text: str) -> None:
        if not args.quiet:
            print(f"scpertbias [{time.perf_counter() - args.start:5.1f} s] {text}", file=sys.stderr, flush=True)

    return say
