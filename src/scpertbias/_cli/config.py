"""Options from a TOML file whose keys are the long flags; each audit writes such a file, so that it can be repeated."""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from .flags import LISTS
from .options import parser
from .values import as_name

NO_KEYS = {"command", "file", "config"}
NOT_STORED = {"out", "force", "dry_run", "quiet", "verbose"}  # they do not change what is computed
REPEATABLE = {*LISTS, "--reference", "--test", "--params", "--predictions", "--train"}


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    """Return the arguments of the command line; flags have precedence over the options in a file."""
    top = parser()
    args = top.parse_args(argv)
    if getattr(args, "config", None) is None:
        return args
    try:
        words = list(_words(tomllib.loads(args.config.read_text(encoding="utf-8"))))
    except (OSError, ValueError) as err:
        why = f"{args.config} does not exist" if isinstance(err, FileNotFoundError) else f"{args.config}: {err}"
        top.error(f"argument --config: {why}")
    # All defaults are None here, so every other value was on the command line.
    flags = parser(dict.fromkeys(vars(args))).parse_args(argv)
    stored = top.parse_args(["audit", str(args.file), *words])
    return argparse.Namespace(**vars(stored) | {name: v for name, v in vars(flags).items() if v is not None})


def as_toml(args: argparse.Namespace) -> str:
    """Return the options of an audit as TOML for ``--config``, without options that are not set."""
    lines = ["# Pass this file to --config of `scpertbias audit FILE` to repeat the audit."]
    for key in _defaults():
        name = key.replace("-", "_")
        if name not in NOT_STORED and (value := getattr(args, name)) is not None:
            lines.append(f"{key} = {_value(name, value)}")
    return "\n".join(lines) + "\n"


def _defaults() -> dict[str, Any]:
    """Return the defaults of an audit by the long flag without dashes."""
    defaults = vars(parser().parse_args(["audit", "x.h5ad"]))
    return {name.replace("_", "-"): value for name, value in defaults.items() if name not in NO_KEYS}


def _words(table: dict[str, Any]) -> Iterator[str]:
    """Yield the options of a file as arguments of a command line."""
    defaults = _defaults()
    for key, value in table.items():
        if key not in defaults:
            near = get_close_matches(key.casefold().replace("_", "-"), defaults, 1)
            msg = f"{key!r} is not an option" + (f"; did you mean {near[0]!r}?" if near else "")
            raise ValueError(msg)
        flag, switch = f"--{key}", isinstance(defaults[key], bool)
        values = value if flag in REPEATABLE and isinstance(value, list) else [value]
        if any(isinstance(one, bool) != switch or not isinstance(one, str | int | float) for one in values):
            kind = "true or false" if switch else "a text or a number"
            msg = f"{key} must be {kind}" + (", or a list of them" if flag in REPEATABLE else "")
            raise ValueError(msg)
        if isinstance(value, list) and flag in LISTS:
            values = [as_name(str(one)) for one in values]
        yield from ([flag] if value else []) if switch else [f"{flag}={one}" for one in values]


def _value(name: str, value: Any) -> str:
    """Return a value in TOML."""
    if isinstance(value, list):
        return f"[{', '.join(_value(name, one) for one in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if name in ("predictions", "train"):
        value = f"{value[0]}={value[1]}"
    elif name == "params":
        value = f"{value[0]}.{value[1]}={json.dumps(value[2])}"
    # Strings of JSON are those of TOML but for DEL and pairs of surrogates.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
