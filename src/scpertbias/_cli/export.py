"""The command ``export``: the cells of each regime as files, and the data card of the screen."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .notes import UsageError, batch_columns, noted, sayer


def export(args: argparse.Namespace) -> int:
    """Audit the screen without models, and write its cells in each regime, with the batches of the audit."""
    from .. import _store, pp, tl
    from .._files import objection, whole_folder
    from .._report import data_card
    from .._report.provenance import Checksum, versions
    from .inputs import holds_counts, read_cells

    say = sayer(args)
    out = args.out or Path(f"{args.file.name.removesuffix(args.file.suffix)}_regimes")
    if why := objection(out, force=args.force, of="export"):
        raise UsageError(why)
    say(f"reading {args.file}")
    adata, _ = read_cells(args.file, layer=args.layer, memory=args.memory, modality=args.modality)
    if "regressed" in (args.regimes or ()):
        size = f"{adata.n_obs:,} cells × {adata.n_vars:,} genes × 4 bytes"
        print(
            f"the regime 'regressed' is stored dense, so its file needs {adata.n_obs * adata.n_vars * 4e-9:.2f} GB "
            f"({size})",
            flush=True,
        )
    with noted(say) as notes:
        if args.species != "human":
            pp.annotate_confounders(adata, species=args.species, gene_symbols=args.gene_symbols)
        reading = _reading(args, normalize=holds_counts(adata, args.layer))
        say("auditing the screen")
        regressed = {} if args.covariates is None else {"covariates": args.covariates}
        mdata = tl.audit(adata, models=(), batch_key=batch_columns(args.batch), **reading, **regressed)
        reading["batch_key"] = _store.root(mdata)["audit"]["batch_key"]
        reading["covariates"] = (_store.profiles_record(mdata["full"]) or {})["covariates"]
        say(f"writing {out}")
        options = {"n_random": args.n_random, "train_only": args.train_only}
        with whole_folder(out) as folder:
            files = pp.write_regimes(adata, folder, args.regimes, **options, **reading)
            record = {
                "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
                "input": args.file.name,
                "sha256": Checksum(args.file).value(),
                "command": args.command_line,
                "versions": versions(),
                "warnings": notes,
                "title": args.title or args.file.stem,
            }
            _store.put(mdata, report=record)
            data_card(mdata, folder, files=files)
    for path in sorted(out.iterdir()):
        print(f"  {path}")
    return 0


def _reading(args: argparse.Namespace, *, normalize: bool) -> dict[str, Any]:
    """Return the arguments for reading the screen, which the audit and ``write_regimes`` have in common."""
    names = ["groupby", "combination_sep", "label_map", "min_cells", "layer", "split_key", "gene_symbols"]
    names += ["reference", "size_factors", "target_sum"]
    return {**{name: getattr(args, name) for name in names}, "normalize": normalize, "rng": args.seed}
