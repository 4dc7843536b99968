"""The end of a run: final.keras, test accuracy of best and final, curves, summary, export."""

from __future__ import annotations

from typing import Any, Protocol

from slr_keras import config, saving
from slr_keras.attacks.pgd import PGD
from slr_keras.evaluation.curves import draw_curves
from slr_keras.evaluation.runner import Evaluator
from slr_keras.run_folder import RunFolder
from slr_keras.settings import schema
from slr_keras.training.checkpoints import Position
from slr_keras.training.crew import Crew
from slr_keras.training.diagnosing import Diagnosing


class _Run(Protocol):
    """What is asked of a run that has trained its last epoch."""

    config: config.RunConfig
    folder: RunFolder
    position: Position
    crew: Crew
    model: Any
    data: Any
    diagnosing: Diagnosing

    def listen(self) -> None: ...
    def phase(self, name: str, epoch: int = 0) -> None: ...
    def progress(self, phase: str, done: int, total: int) -> None: ...
    def evaluation_attack(self, steps: int) -> PGD: ...


def finish(run: _Run) -> dict[str, Any]:
    """Write what a complete run leaves behind; returns the content of summary.json."""
    folder = run.folder
    net = run.model.trained_network()
    saving.save_network(net, folder["final.keras"])
    if run.crew.count > 1:
        net = saving.load_model(folder["final.keras"])
    run.phase("testing")
    summary = summarise(run, net)
    draw_curves(folder.epochs(), folder["curves.png"], run.config)
    folder.write_summary(summary)
    if run.config.train.export:
        run.listen()
        run.phase("exporting")
        which = "best.keras" if folder["best.keras"].exists() else "final.keras"
        net = saving.load_model(folder[which])
        saving.export_network(net, folder["savedmodel"], "saved_model")
    return summary


def summarise(run: _Run, final: Any) -> dict[str, Any]:
    """Clean and robust test accuracy of the best and the final epoch, and how it was measured."""
    best = run.position.best_epoch
    has_best = bool(best) and run.folder["best.keras"].exists()
    total = _count(run) * (1 + has_best)
    attack = run.evaluation_attack(run.config.eval.test_steps)
    summary: dict[str, Any] = {
        "attack": f"pgd-{attack.steps}",
        "attack_settings": schema.to_dict(attack),
        "test_samples": _count(run),
        "best_epoch": best or None,
        "best_val_robust_accuracy": run.position.best_robust_accuracy if best else None,
        "training_seconds": round(run.position.seconds, 1),
        "learned": run.diagnosing.learned,
        "noisy_labels": len(run.data.noisy_index),
        "final": {"epoch": run.position.epoch - 1, **_test(run, final, attack, 0, total)},
    }
    if has_best:
        net = saving.load_model(run.folder["best.keras"])
        summary["best"] = {"epoch": best, **_test(run, net, attack, _count(run), total)}
    return summary


def _count(run: _Run) -> int:
    wanted, there = run.config.eval.test_samples, len(run.data.x_test)
    return min(wanted or there, there)


def _test(run: _Run, net: Any, attack: PGD, before: int, total: int) -> dict[str, float | None]:
    """Accuracies of a network; ``before`` of ``total`` images were tested already."""
    x, y = run.data.x_test[: _count(run)], run.data.y_test[: _count(run)]
    evaluator = Evaluator(net, attack, batch_size=run.config.eval.batch_size)
    result = evaluator.run(x, y, lambda done: run.progress("testing", before + done, total))
    return {"accuracy": result.accuracy, "robust_accuracy": result.robust_accuracy}
