"""Where this package lies: a checkout or an installed package, and how one gets what is missing."""

from __future__ import annotations

import pathlib

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent


def command(extra: str) -> str:
    """What to type.

    Args:
        extra: a file ``requirements-<extra>.txt``, ``"app"`` or ``"jax"`` for example.

    Example:
        >>> command("app")
        'pip install -r requirements-app.txt'
    """
    if (CHECKOUT / "requirements.txt").is_file():
        return f"pip install -r requirements-{extra}.txt"
    return f'pip install "slr-keras[{extra}]"'


def commit() -> str:
    """The commit of this checkout, with ``-dirty`` where files differ; empty outside of one.

    A package installed into somebody else's repository is no checkout: their commits say nothing
    of it.
    """
    import subprocess

    here = str(pathlib.Path(__file__).resolve())
    describe = ("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    try:
        for asked in (("ls-files", "--error-unmatch", here), describe):
            done = subprocess.run(
                ["git", *asked], cwd=CHECKOUT, capture_output=True, text=True, timeout=10
            )
            if done.returncode:
                return ""
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
