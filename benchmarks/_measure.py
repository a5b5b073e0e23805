"""Stopwatch, memory and what is reported of them."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

MIN_PAIRS = 5


@dataclass(frozen=True)
class Times:
    """Seconds of ours and of the peer, run by run."""

    ours: tuple[float, ...]
    peer: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """How many times faster ours was, for each pair; a peer that ran once stands in every pair."""
        peer = self.peer * len(self.ours) if len(self.peer) == 1 else self.peer
        return [theirs / mine for mine, theirs in zip(self.ours, peer, strict=True)]


@dataclass(frozen=True)
class Row:
    """One line of the table; ``ratio`` is the median of the pairs, None where there is no peer."""

    work: str
    size: str
    ours_s: float
    budget: str
    met: bool | None
    peer_s: float | None = None
    ratio: float | None = None
    ratio_min: float | None = None
    ratio_max: float | None = None
    difference: float | None = None
    tolerance: float | None = None
    memory_gb: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """What the JSON file holds."""
        return asdict(self)


class Watch:
    """Seconds spent within ``with``: on the wall clock, and of the processor, which other work beside lengthens less."""

    def __init__(self) -> None:
        self.wall = self.processor = 0.0

    def __enter__(self) -> Watch:
        self.wall -= time.perf_counter()
        self.processor -= time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter()
        self.processor += time.process_time()


def seconds(function: Callable[[], object]) -> float:
    """Time of one call; what earlier calls left is collected before, and what this one returns is dropped."""
    gc.collect()
    start = time.perf_counter()
    result = function()
    spent = time.perf_counter() - start
    del result
    return spent


def interleave(
    ours: Callable[[], object], peer: Callable[[], object], *, pairs: int = MIN_PAIRS, warm_up: bool = True
) -> Times:
    """Time both in turn, A B A B …, so that a busy moment of the machine hits both; after one call each."""
    if warm_up:
        seconds(ours)
        seconds(peer)
    timed = [(seconds(ours), seconds(peer)) for _ in range(pairs)]
    return Times(tuple(a for a, _ in timed), tuple(b for _, b in timed))


def comparison(work: str, size: str, times: Times, *, at_least: float, difference: float, tolerance: float) -> Row:
    """Make the row of a comparison: met if the median ratio reaches the budget and the results agree."""
    ratio = statistics.median(times.ratios)
    return Row(
        work=work,
        size=size,
        ours_s=statistics.median(times.ours),
        peer_s=statistics.median(times.peer),
        ratio=ratio,
        ratio_min=min(times.ratios),
        ratio_max=max(times.ratios),
        budget=f"≥ {at_least:g}×",
        met=ratio >= at_least and difference <= tolerance,
        difference=difference,
        tolerance=tolerance,
    )


def reset_peak_memory() -> None:
    """Begin the peak anew, where the system can (Linux)."""
    switch = Path("/proc/self/clear_refs")
    if switch.exists():
        switch.write_text("5")


def peak_memory_gb() -> float:
    """Largest resident memory of this process.

    Linux's own figure for this program is read: ``ru_maxrss`` begins with what the parent process held.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e9
    import resource
    import sys

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
