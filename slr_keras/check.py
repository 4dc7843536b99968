"""``python -m slr_keras.check``: whether own parts keep to what ours keep to, on every backend."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from slr_keras.errors import UserError
from slr_keras.settings import descriptions, plugins
from slr_keras.terminal import cli

BACKENDS = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}  # what imports say it
CLOSE = 1e-4  # of what the backends compute
LOOK = "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)"
LIGHT = "import sys; from slr_keras.settings import plugins; plugins.use(sys.argv[1:]); sys.exit('keras' in sys.modules)"  # fmt: skip # noqa: E501


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, check, print a line a check; returns 1 if something does not hold."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    cli.use_plugins(words)
    options = _parser().parse(words)
    found = plugins.use(options.plugins)
    if options.describe:
        print(json.dumps({p.name: descriptions.describe(p) for p in found}))
        return 0
    if not any(plugin.parts for plugin in found):
        raise UserError(f"{', '.join(options.plugins)}: there are no parts in it to check")
    if options.here:
        print(json.dumps(_here(found)))
        return 0
    results = {name: _on(name, options.plugins) for name in options.backends or _installed()}
    return _show(options.plugins, results)


def _parser() -> cli.Parser:
    parser = cli.make_parser("check", "Check own parts as ours are checked, on every backend.")
    parser.add_argument("plugins", nargs="+", metavar="FILE.py|MODULE", help="plug-ins to check")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, help="[all that are installed]")
    parser.add_argument("--describe", action="store_true", help="say what they are, as JSON")
    parser.add_argument("--here", action="store_true", help="in this process, results as JSON")
    return parser


def _installed() -> list[str]:
    """The backends of this environment, by a look that imports none."""
    import importlib.util

    return [name for name, module in BACKENDS.items() if importlib.util.find_spec(module)]


def _on(backend: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """What a process with this backend finds."""
    command = [sys.executable, "-m", "slr_keras.check", *names, "--here"]
    environment = os.environ | {"KERAS_BACKEND": backend}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    try:
        rows: list[dict[str, Any]] = json.loads(done.stdout.strip().splitlines()[-1])
        return rows
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"{backend}: the checks could not be run: {last}") from None


def _here(found: Sequence[plugins.Plugin]) -> list[dict[str, Any]]:
    """A row a check of each part, and the numbers that backends are compared by."""
    cli.import_framework()
    from slr_keras import testing

    rows = []
    for part in (part for plugin in found for part in plugin.parts):
        for check in testing.checks_of(part):
            rows.append({"part": part.name, "check": check.__name__, "said": _said(check, part)})
        rows.append({"part": part.name, "numbers": _numbers(part)})
    return rows


def _said(check: Any, part: Any) -> str:
    """Why a check does not hold; empty where it does."""
    try:
        check(part)
    except Exception as error:  # whatever a part of somebody's does
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        text = (str(error).strip().splitlines() or ["it raised an error"])[0]
        return f"{kind}{text}"
    return ""


def _numbers(part: Any) -> list[float] | None:
    from slr_keras import testing

    try:
        found = testing.fingerprint(part)
    except Exception:  # its check has said so
        return None
    return None if found is None else [float(number) for number in found.ravel()]


# -- what comes of it -------------------------------------------------------------------------


def _show(names: Sequence[str], results: dict[str, list[dict[str, Any]]]) -> int:
    """Print a table; 1 if anything does not hold."""
    from rich.console import Console

    out, failed = Console(highlight=False, soft_wrap=True), 0
    first = next(iter(results.values()))
    for number, row in enumerate(first):
        same = {backend: rows[number] for backend, rows in results.items()}
        line = _compared(same) if "numbers" in row else _joined(same)
        if line is None:
            continue
        verdict, check, said = line
        failed += verdict == "FAIL"
        mark = f"[{'bold red' if verdict == 'FAIL' else 'green'}]{verdict:4}[/]"
        out.print(f"{mark}  {row['part']:16}  {check:42}  {said}".rstrip())
    light = subprocess.run([sys.executable, "-c", LIGHT, *names], check=False).returncode == 0
    text = (
        "" if light else "no: --help and lists wait for a framework; fine where layers are defined"
    )
    out.print(
        f"{'pass' if light else 'note'}  {'':16}  {'imports no framework':42}  {text}".rstrip()
    )
    where = ", ".join(results)
    out.print(f"{failed} of {len(first)} do not hold" if failed else f"all hold on {where}")
    return int(bool(failed))


def _joined(rows: dict[str, dict[str, Any]]) -> tuple[str, str, str]:
    """A check on all backends."""
    check = next(iter(rows.values()))["check"].replace("_", " ")
    said = {backend: row["said"] for backend, row in rows.items() if row["said"]}
    if not said:
        return "pass", check, ""
    if len(said) == len(rows) and len(set(said.values())) == 1:
        return "FAIL", check, next(iter(said.values()))
    return "FAIL", check, "; ".join(f"{backend}: {text}" for backend, text in said.items())


def _compared(rows: dict[str, dict[str, Any]]) -> tuple[str, str, str] | None:
    """What the backends compute, compared."""
    found = {b: row["numbers"] for b, row in rows.items() if row["numbers"] is not None}
    if len(found) < 2:
        return None
    (name, first), *others = found.items()
    for backend, numbers in others:
        pairs = list(zip(first, numbers, strict=False))
        off = max((abs(a - b) / max(1, abs(a)) for a, b in pairs), default=0.0)
        if len(first) != len(numbers) or off > CLOSE:
            return "FAIL", "backends compute the same", f"{backend} is {off:.2g} off {name}"
    return "pass", "backends compute the same", ""


if __name__ == "__main__":
    sys.exit(cli.run(main))
