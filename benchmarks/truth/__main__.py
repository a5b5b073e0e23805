"""The command line: ``python -m benchmarks.truth --help``."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from . import itself, null, power, scores, shares, unshared
from .records import CACHE, Records, package_state
from .table import KEY, merged, read, write

CLAIMS = (null.CLAIM, shares.CLAIM, power.CLAIM, scores.CLAIM, itself.CLAIM, unshared.CLAIM)
FAR = 4.0
"""Standard errors from the documented estimate at which a check fails."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing, print the rows, and write or check the table where asked to."""
    names = [claim.name for claim in CLAIMS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth", description="Measure what may be claimed.")
    parser.add_argument("--claims", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--shapes", nargs="+", metavar="NAME", help="shapes of screens (default: all of a claim)")
    parser.add_argument("--screens", type=int, help="screens per condition (default: as many as the claim names)")
    parser.add_argument("--part", type=float, default=1.0, help="part of the screens (default: all)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of the records of single screens")
    parser.add_argument("--write", action="store_true", help="replace docs/truth.csv and the tables made from it")
    parser.add_argument(
        "--check", action="store_true", help=f"fail where a row is {FAR:g} standard errors off docs/truth.csv"
    )
    options = parser.parse_args(arguments)
    state = package_state()
    for claim in CLAIMS:
        for condition in claim.conditions if claim.name in options.claims else ():
            if options.shapes and condition.shape not in options.shapes:
                continue
            n = math.ceil(options.part * (options.screens or claim.screens(condition)))
            Records(claim, condition, options.cache).run(state, range(n), jobs=options.jobs)
            print(f"{claim.name} {condition}: {n} screens", flush=True)
    frame = merged(CLAIMS, state, cache=options.cache)
    with pd.option_context("display.max_rows", None, "display.width", 200):
        print(frame[frame["claim"].isin(options.claims)].drop(columns=["seed"]).to_string(index=False))
    failed = off(frame, read()) if options.check else []
    if options.write:
        write(frame)
    for line in failed:
        print(line)
    return int(bool(failed))


def off(frame: pd.DataFrame, documented: pd.DataFrame) -> list[str]:
    """Return the rows that are far from the documented ones."""
    both = frame.merge(documented, on=KEY, suffixes=("", "_documented"))
    error = (both["standard_error"] ** 2 + both["standard_error_documented"] ** 2) ** 0.5
    far = both[(both["estimate"] - both["estimate_documented"]).abs() > FAR * error]
    return [
        f"{' '.join(str(getattr(row, name)) for name in KEY)}: {row.estimate}, documented {row.estimate_documented}"
        for row in far.itertuples()
    ]


if __name__ == "__main__":
    raise SystemExit(main())
