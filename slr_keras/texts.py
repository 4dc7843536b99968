"""JSON and TOML as files hold them, whoever wrote them: too deep is as damaged as cut off."""

from __future__ import annotations

import json
import sys
from typing import Any


def from_json(text: str | bytes) -> Any:
    """What the JSON says.

    Raises:
        ValueError: it is none, or nested so deep that Python cannot read it.

    Example:
        >>> from_json('{"a": [1, 2]}')
        {'a': [1, 2]}
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def from_toml(text: str) -> dict[str, Any]:
    """What the TOML says; raises ValueError as :func:`from_json` does."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
