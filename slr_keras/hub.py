"""A model and its card to the Hugging Face Hub, by ``huggingface_hub`` and the login it knows."""

from __future__ import annotations

import importlib.util
import pathlib
import re

from slr_keras.errors import ExportError, UserError

NAME = re.compile(r"[\w.-]+/[\w.-]+")


def check(repository: str) -> None:
    """Raise :class:`UserError` if nothing could be pushed there: said before the work begins."""
    if not NAME.fullmatch(repository):
        raise UserError(f"--push: expected USER/NAME, as on the Hub, received {repository}")
    if importlib.util.find_spec("huggingface_hub") is None:
        raise UserError("--push needs huggingface_hub: pip install huggingface_hub")


def push(repository: str, model: pathlib.Path, card: pathlib.Path) -> str:
    """Upload what was written, the card as README.md; the repository is made if there is none.

    Args:
        repository: ``user/name``.
        model: a file, or a folder.
        card: the model card.

    Returns:
        The address.

    Raises:
        ExportError: no login, no connection, no right to write; what was written stays.
    """
    import huggingface_hub

    api = huggingface_hub.HfApi()
    add = huggingface_hub.CommitOperationAdd
    files = [path for path in sorted(model.rglob("*")) if path.is_file()] or [model]
    start = model if model.is_dir() else model.parent
    parts = [add(path.relative_to(start).as_posix(), str(path)) for path in files if path != card]
    try:
        api.create_repo(repository, exist_ok=True)
        api.create_commit(
            repository,
            [*parts, add("README.md", str(card))],
            commit_message=f"{model.name}, exported by slr_keras",
        )
    except Exception as error:  # network, login, rights: each library below has errors of its own
        reason = " ".join(str(error).split())[:200]
        raise ExportError(
            f"{model} is written, but was not pushed to {repository}: {reason}"
        ) from None
    return f"{api.endpoint}/{repository}"
