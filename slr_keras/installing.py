"""How somebody gets what is not installed, in a checkout or beside an installed package."""

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
