import time

import pytest

from scpertbias.tl._audit.run_command import filled, run_command


def test_what_it_prints_is_in_the_log(tmp_path):
    run_command(["sh", "-c", "echo {seed} > {predictions}; echo done; echo bad >&2"], values(tmp_path), tmp_path)
    assert (tmp_path / "out.csv").read_text() == "3\n"
    assert (tmp_path / "log.txt").read_text() == "done\nbad\n"


def values(folder):
    return {"seed": "3", "predictions": str(folder / "out.csv"), "cells": "a b.h5ad"}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "for i in 1 2 3 4 5 6 7 8 9; do echo line $i; done; exit 4",
            r"exited with code 4 after 0 s; its last lines are: line 2 \|.*line 9$",
        ),
        ("exit 1", "exited with code 1 after 0 s; it printed nothing"),
        ("kill -9 $$", r"was killed by SIGKILL \(out of memory\?\) after 0 s"),
        ("echo at work; sleep 60", r"stopped after its time limit of 0.5 s; its last lines are: at work"),
        ("trap '' TERM; sleep 1 & wait; sleep 60", "stopped after its time limit of 0.5 s"),
    ],
)
def test_how_it_fails(script, message, tmp_path, monkeypatch):
    monkeypatch.setattr("scpertbias.tl._audit.run_command.GRACE", 0.3)
    start = time.monotonic()
    with pytest.raises(ValueError, match=message):
        run_command(["sh", "-c", script], values(tmp_path), tmp_path, time_limit=0.5)
    assert time.monotonic() - start < 20


def test_no_such_command(tmp_path):
    with pytest.raises(
        ValueError, match=r"cannot be run: No such file or directory \(no-such-model --cells 'a b.h5ad'\)"
    ):
        run_command("no-such-model --cells {cells}", values(tmp_path), tmp_path)


def test_a_shell_only_where_asked_for(tmp_path):
    command = "echo {cells} | cat > {predictions}"
    run_command(command, values(tmp_path), tmp_path, shell=True)
    assert (tmp_path / "out.csv").read_text() == "a b.h5ad\n"
    assert filled(command, values(tmp_path), shell=False)[:3] == ["echo", "a b.h5ad", "|"]
    assert filled("x {other} {seed}{seed}", values(tmp_path), shell=False) == ["x", "{other}", "33"]
