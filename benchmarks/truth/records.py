"""Claims, the conditions they are measured in, and the records of single screens, so that a run goes on where it ended."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "benchmarks" / "_truth_cache"

Values = dict[str, Any]
"""By quantity a number, or a pair of which screens make a ratio of sums; NaN where this screen has none."""
Aim = tuple[float, float]


@dataclass(frozen=True)
class Condition:
    """What a screen is drawn from but the seed; ``n`` is the number of perturbations, of models the held-out ones."""

    shape: str
    tails: str
    n: int

    def __str__(self) -> str:
        return f"{self.shape}-{self.tails}-{self.n}"


@dataclass(frozen=True)
class Claim:
    """A claim and how it is measured.

    ``measure`` returns the quantities of one screen, ``aim`` the bounds that the mean of a quantity should keep (None: it is shown only). ``screens`` is the number of screens per condition,
    ``sources`` names further files of this package that the measure rests on.
    """

    name: str
    conditions: tuple[Condition, ...]
    measure: Callable[[Condition, int], Values]
    aim: Callable[[Condition, str], Aim | None]
    screens: Callable[[Condition], int]
    sources: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """Hash of what decides which screens are drawn and what is counted on them."""
        own = Path(sys.modules[self.measure.__module__].__file__)
        beside = [Path(__file__).parent / name for name in ("shapes.py", *self.sources)]
        return _digest([own, *beside, ROOT / "benchmarks" / "screens.py"])


def _digest(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:10]


def package_state() -> str:
    """Hash of the source of the package."""
    return _digest(sorted((ROOT / "src" / "scpertbias").rglob("*.py")))


def commit() -> str:
    """Commit of the working tree, with a + where the package or the benchmarks differ from it."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--", "src", "benchmarks")
    return git("rev-parse", "--short=8", "HEAD") + ("+" if changed else "")


@dataclass(frozen=True)
class Records:
    """The screens of one claim in one condition, in a file per state of the package."""

    claim: Claim
    condition: Condition
    cache: Path = CACHE

    def path(self, state: str) -> Path:
        """File of the records of a state of the package."""
        return self.cache / f"{self.claim.name}-{self.condition}-{self.claim.code}-{state}.jsonl"

    def read(self, state: str) -> list[dict[str, object]]:
        """Return the records of a state by seed; a line that was cut off is none."""
        path, records = self.path(state), {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue
            records[record["seed"]] = record
        return [records[seed] for seed in sorted(records)]

    def newest(self, state: str) -> list[dict[str, object]]:
        """Return the records of this state of the package, else those of the newest other one."""
        paths = sorted(self.cache.glob(self.path("*").name), key=lambda path: path.stat().st_mtime)
        states = [path.stem.rsplit("-", 1)[1] for path in paths]
        return next((found for s in [state, *reversed(states)] if (found := self.read(s))), [])

    def run(self, state: str, seeds: Iterable[int], *, jobs: int = 1) -> None:
        """Measure the screens of these seeds that are not yet recorded."""
        known = {record["seed"] for record in self.read(state)}
        missing = [seed for seed in seeds if seed not in known]
        if not missing:
            return
        self.cache.mkdir(parents=True, exist_ok=True)
        origin = commit()
        with self.path(state).open("a", encoding="utf-8") as file:
            file.write("\n" if known else "")  # after a line that was cut off
            for seed, values, seconds in self._measured(missing, jobs):
                record = {"seed": seed, "commit": origin, "seconds": round(seconds, 3), "values": values}
                file.write(json.dumps(record) + "\n")
                file.flush()

    def _measured(self, seeds: list[int], jobs: int) -> Iterator[tuple[int, Values, float]]:
        if jobs == 1:
            yield from (measure(self.claim.measure, self.condition, seed) for seed in seeds)
            return
        with ProcessPoolExecutor(jobs) as pool:
            n = len(seeds)
            yield from pool.map(measure, [self.claim.measure] * n, [self.condition] * n, seeds, chunksize=4)


def measure(function: Callable[[Condition, int], Values], condition: Condition, seed: int) -> tuple[int, Values, float]:
    """Measure one screen, without what the package says of it."""
    start = time.perf_counter()
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = {name: np.asarray(value, float).tolist() for name, value in function(condition, seed).items()}
    finally:
        logging.disable(disabled)
    return seed, values, time.perf_counter() - start
