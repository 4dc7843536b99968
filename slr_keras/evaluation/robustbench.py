"""An evaluation in the field names of RobustBench's ``model_info`` files."""

from __future__ import annotations

import pathlib
from typing import Any

from slr_keras.errors import UserError
from slr_keras.evaluation.specs import AUTOATTACK, CLEAN

NORMS = {"linf": "Linf", "l2": "L2"}  # of its leaderboards
IMAGES = {"cifar10": 10_000, "cifar100": 10_000, "imagenet": 5_000}  # that these are tested on
ARCHITECTURES = {
    "resnet18": "ResNet-18",
    "resnet34": "ResNet-34",
    "preact_resnet18": "PreActResNet-18",
    "wrn16_4": "WideResNet-16-4",
    "wrn28_10": "WideResNet-28-10",
    "wrn34_10": "WideResNet-34-10",
}


def entry(result: dict[str, Any], config: Any = None) -> dict[str, Any]:
    """What RobustBench (Croce et al. 2021, arXiv 2010.09670) keeps of a model.

    Accuracies are texts in percent, as in its files. ``link``, ``name``, ``authors`` and ``venue``
    are empty and ``reported`` is None: of the paper the author alone knows. So is
    ``additional_data`` where the network began with others' weights or the run is not known. A
    ``footnote`` says where it was not the whole test set, and ``unreliable`` is true where a check
    of the evaluation failed.

    Args:
        result: the content of ``evaluation.json``.
        config: of the run, a :class:`slr_keras.config.RunConfig`; None for a plain file.

    Raises:
        UserError: no AutoAttack in its standard version, or another norm or split than those of
            the leaderboards.

    Example:
        >>> rows = [{"attack": "clean", "accuracy": 0.8534, "settings": {}},
        ...         {"attack": "autoattack", "accuracy": 0.5342,
        ...          "settings": {"norm": "linf", "eps": "8/255"}}]
        >>> found = entry({"results": rows, "data": "cifar10", "split": "test", "samples": 10000})
        >>> found["clean_acc"], found["autoattack_acc"], found["eps"], found["unreliable"]
        ('85.34', '53.42', '8/255', False)
    """
    row = _row(result, AUTOATTACK)
    if row is None:
        raise UserError(
            "a RobustBench entry needs AutoAttack in its standard version: "
            "evaluate with --attacks clean autoattack"
        )
    norm, eps = row["settings"].get("norm"), row["settings"].get("eps")
    if norm not in NORMS:
        raise UserError(f"RobustBench has leaderboards of linf and l2, received {norm}")
    if result.get("split") != "test":
        raise UserError(f"a RobustBench entry is of the test split, received {result.get('split')}")
    found = {
        "link": "",
        "name": "",
        "authors": "",
        "additional_data": _additional_data(config),
        "number_forward_passes": 1,
        "dataset": _dataset(result),
        "venue": "",
        "architecture": _architecture(config),
        "eps": eps if isinstance(eps, str) else f"{eps:g}",
        "clean_acc": _percent(_clean(result)),
        "reported": None,
        "autoattack_acc": _percent(row["accuracy"]),
    }
    footnote = _footnote(result)
    checks = result.get("checks") or []
    return (
        found
        | ({"footnote": footnote} if footnote else {})
        | {"unreliable": any(check.get("verdict") == "fail" for check in checks)}
    )


def _row(result: dict[str, Any], attack: str) -> dict[str, Any] | None:
    rows = result.get("results") or []
    return next((row for row in rows if row.get("attack") == attack), None)


def _clean(result: dict[str, Any]) -> float:
    """Of its row, or where clean was not asked for, of the classes."""
    row = _row(result, CLEAN)
    if row:
        return float(row["accuracy"])
    classes = [one for one in result.get("per_class") or [] if one["samples"]]
    if not classes:
        raise UserError("a RobustBench entry needs clean accuracy: evaluate with --attacks clean")
    hits = sum(one["samples"] * one["clean"] for one in classes)
    return float(hits / sum(one["samples"] for one in classes))


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _dataset(result: dict[str, Any]) -> str:
    return pathlib.PurePath(str(result.get("data", ""))).stem


def _architecture(config: Any) -> str:
    """As its files spell it; the width is named where it is not the usual one."""
    if config is None:
        return ""
    model = config.model
    name = ARCHITECTURES.get(model.name, model.name)
    usual = getattr(type(model)(), "width", None)
    width = getattr(model, "width", usual)
    return name if width == usual else f"{name} (width {width})"


def _additional_data(config: Any) -> bool | None:
    """False for what learned from the data set alone; None where that is not known."""
    if config is None:
        return None
    fresh = getattr(config.model, "weights", "none") == "none"
    return False if fresh and not config.model.name.endswith(".keras") else None


def _footnote(result: dict[str, Any]) -> str:
    """Where fewer images were attacked than a leaderboard asks for."""
    samples, wanted = result.get("samples", 0), IMAGES.get(_dataset(result))
    if wanted is None or samples == wanted:
        return ""
    return f"Evaluated on the first {samples:,} test images, not on {wanted:,}."
