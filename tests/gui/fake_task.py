"""An evaluation, export or report without TensorFlow: same protocol and files, invented numbers.

    python tests/gui/fake_task.py [--seconds S] [--crash] TARGET [flags of the command]

The name of the task is read off its flags: ``--attacks`` evaluates, ``--format`` exports.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import queue
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from slr_keras.protocol import commands, events  # noqa: E402

PARTS = 4


def send(event: events.Event) -> None:
    sys.stdout.write(events.encode(event) + "\n")
    sys.stdout.flush()


def listen(waiting: queue.Queue[commands.Command | None]) -> None:
    for line in sys.stdin:
        waiting.put(commands.decode(line))
    waiting.put(None)


def obey(waiting: queue.Queue[commands.Command | None], paused: bool = False) -> None:
    """Take what came; waits while paused, leaves when asked."""
    while paused or not waiting.empty():
        command = waiting.get()
        if command is None:
            leave("window closed")
        send(events.Acknowledged(command.id, command.name))
        if isinstance(command, (commands.Stop, commands.Discard)):
            leave("asked to stop")
        if isinstance(command, commands.Pause):
            send(events.Paused(0, 0))
            paused = True
        if isinstance(command, commands.Resume):
            paused = False
            send(events.Continued(0, 0))


def leave(reason: str) -> None:
    send(events.RunStopped(reason, 0, 0))
    sys.stdout.flush()
    os._exit(0)


def evaluate(options: argparse.Namespace, waiting: queue.Queue) -> list[str]:
    samples, which = options.num_samples or 100, options.which
    send(events.EvaluationStarted(options.target, which, samples, tuple(options.attacks)))
    send(events.PhaseStarted("evaluating"))
    rows = []
    for number, attack in enumerate(options.attacks, start=1):
        robust = samples // (1 + number)
        for part in range(1, PARTS + 1):
            time.sleep(options.seconds)
            facts = number, len(options.attacks), part / PARTS, robust, samples, part == PARTS
            send(events.EvaluationProgress(attack, *facts))
            obey(waiting)
            if options.crash:
                os._exit(3)
        row = {"attack": attack, "samples": samples, "accuracy": robust / samples, "right": ""}
        rows.append(row | {"interval": [0.0, 1.0], "per_class": [0.5, 0.4], "seconds": 1.0})
    check = {"name": "masking", "verdict": "warn", "says": "<b>a warning</b>"}
    content = {"format": 2, "which": which, "epoch": 1, "samples": samples, "results": rows}
    content |= {"checks": [check], "data": "digits", "class_names": ["a", "b"], "seconds": 1.0}
    out = options.out or str(pathlib.Path(options.target) / "evaluation.json")
    pathlib.Path(out).write_text(json.dumps(content))
    return [out]


def main() -> int:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("target")
    parser.add_argument("--attacks", nargs="+")
    parser.add_argument("--which", default="best")
    parser.add_argument("--num-samples", type=int)
    parser.add_argument("--out")
    parser.add_argument("--seconds", type=float, default=0.01)
    parser.add_argument("--crash", action="store_true")
    options, _ = parser.parse_known_args()
    waiting: queue.Queue[commands.Command | None] = queue.Queue()
    threading.Thread(target=listen, args=(waiting,), daemon=True).start()
    send(events.Hello("task", os.getpid(), "fake"))
    send(events.PhaseStarted("importing"))
    if options.attacks:
        paths = evaluate(options, waiting)
    else:
        paths = [options.out or str(pathlib.Path(options.target) / "report.html")]
        pathlib.Path(paths[0]).write_text("written")
    send(events.TaskEnded("all is well", tuple(paths)))
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
