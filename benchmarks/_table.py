"""The command line that all scripts share, and the table they print."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ._measure import MIN_PAIRS, Row
from ._screen import screen, size_of

LIBRARIES = ("scpertbias", "numpy", "scipy", "numba", "anndata", "scanpy", "scikit-learn")
HEADER = ("work", "cells × genes × groups", "ours", "peer", "ratio (min–max)", "difference", "peak", "budget", "met")


def main(benchmarks: Sequence[Callable[..., list[Row]]], arguments: Sequence[str] | None = None) -> None:
    """Run some benchmarks on the screen, print the table, and write it where asked to."""
    parser = argparse.ArgumentParser(description="Measure the budgets.")
    parser.add_argument(
        "--small", action="store_true", help="a tenth of the cells and perturbations; the budgets are for all of them"
    )
    parser.add_argument("--pairs", type=int, default=MIN_PAIRS, help="timed runs of each (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file")
    options = parser.parse_args(arguments)
    before = load()
    adata = screen(small=options.small)
    print(f"{size_of(adata)}, {os.cpu_count()} cores, load {before}", flush=True)
    rows: list[Row] = []
    for benchmark in benchmarks:
        rows += benchmark(adata, pairs=options.pairs)
        print(f"  {rows[-1].work}: done, load {load()}", flush=True)
    print(table(rows))
    if options.json is not None:
        measurements = {"machine": machine(), "load": [before, load()], "rows": [row.as_dict() for row in rows]}
        options.json.write_text(json.dumps(measurements, indent=2) + "\n")


def load() -> str:
    """How busy the machine is: times taken beside other work are longer."""
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def machine() -> dict[str, Any]:
    """What the times depend on."""
    versions = {name: version(name) for name in LIBRARIES}
    return {"cores": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version(), **versions}


def table(rows: Sequence[Row]) -> str:
    """The rows under their header, in columns."""
    cells = [HEADER, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEADER))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([lines[0], "-" * sum(widths, 2 * (len(widths) - 1)), *lines[1:]])


def _cells(row: Row) -> tuple[str, ...]:
    ratio = None if row.ratio is None else f"{row.ratio:.1f}× ({row.ratio_min:.1f}–{row.ratio_max:.1f})"
    return (
        row.work,
        row.size,
        f"{row.ours_s:.3f} s",
        "–" if row.peer_s is None else f"{row.peer_s:.3f} s",
        ratio or "–",
        "–" if row.difference is None else f"{row.difference:.1e} (≤ {row.tolerance:.0e})",
        "–" if row.memory_gb is None else f"{row.memory_gb:.2f} GB",
        row.budget,
        {True: "yes", False: "no", None: "–"}[row.met],
    )
