"""Run a command that trains a model, with a time limit; errors contain the last lines of its output."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from .._external_model import PLACEHOLDER

LOG = "log.txt"
LAST_LINES = 8
LAST_CHARACTERS = 2000
GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL of a command."""


def run_command(
    command: str | Sequence[str],
    values: Mapping[str, str],
    folder: Path,
    *,
    shell: bool = False,
    time_limit: float | None = None,
) -> None:
    """Run a command with a log of its output; raise a ValueError with its last lines if it fails.

    A stop (time limit, Ctrl-C, a scheduler) also stops the command and all its processes.
    """
    words = filled(command, values, shell=shell)
    log = folder / LOG
    start = time.monotonic()
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(  # a shell only on request
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                shell=shell,
                start_new_session=True,
            )
        except OSError as err:
            msg = f"the command cannot be run: {err.strerror or err} ({_as_text(words)})"
            raise ValueError(msg) from err
        try:
            code = process.wait(time_limit)
        except subprocess.TimeoutExpired as err:
            _end(process)
            msg = f"the command was stopped after its time limit of {time_limit:g} s; {_last_lines(log)}"
            raise ValueError(msg) from err
        except BaseException:
            _end(process)
            raise
    if code:
        how = f"exited with code {code}" if code > 0 else f"was killed by {_signal_name(-code)}"
        msg = f"the command {how} after {time.monotonic() - start:.0f} s; {_last_lines(log)}"
        raise ValueError(msg)


def filled(command: str | Sequence[str], values: Mapping[str, str], *, shell: bool) -> str | list[str]:
    """Return the command with its placeholders replaced by files, seed and others; quoted for a shell."""
    if shell:
        return PLACEHOLDER.sub(lambda match: shlex.quote(values[match[1]]), str(command))
    words = shlex.split(command) if isinstance(command, str) else list(command)
    return [PLACEHOLDER.sub(lambda match: values[match[1]], word) for word in words]


def _as_text(words: str | list[str]) -> str:
    return words if isinstance(words, str) else shlex.join(words)


def _signal_name(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    return f"{name} (out of memory?)" if name == "SIGKILL" else name


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and its child processes."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            continue


def _last_lines(log: Path) -> str:
    """Return the last lines of the output of a command."""
    text = log.read_text(encoding="utf-8", errors="replace")[-LAST_CHARACTERS:]
    lines = [line.strip() for line in text.splitlines() if line.strip()][-LAST_LINES:]
    return "it printed nothing" if not lines else "its last lines are: " + " | ".join(lines)
