"""A trainer without TensorFlow: same command line, protocol and run folder, invented numbers.

    python tests/gui/fake_trainer.py [fake flags] CONFIG.toml --run-dir X
    python tests/gui/fake_trainer.py [fake flags] --resume X

Fake flags (``--progress json`` is accepted and ignored):

    --batches N        batches per epoch [5]
    --batch-seconds S  time of a batch [0.01]
    --phase-seconds S  time of each phase before the first epoch [0]
    --crash HOW        segv, kill, exit3 or fail, after --after batches
    --after N          [3]
    --hang             after --after batches: no events, commands unread; no heartbeats at all
    --flood N          N further batch events per batch
    --garbage          lines on stdout that are no messages, between the events
    --deaf             reads no commands (but notices the end of stdin)
    --refuse           acknowledges every command with accepted=false
    --chatter N        lines on stderr before the first batch
    --no-space         every epoch warns that the disk is full
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import pathlib
import queue
import signal
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from slr_keras import config as configs  # noqa: E402
from slr_keras.errors import UserError  # noqa: E402
from slr_keras.protocol import commands, events  # noqa: E402
from slr_keras.run_folder import RunFolder  # noqa: E402


class Leave(Exception):
    """The run ends now; ``save`` says whether its state is kept."""

    def __init__(self, save: bool, reason: str = "stop"):
        super().__init__(reason)
        self.save, self.reason = save, reason


class FakeTrainer:
    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.lock = threading.Lock()
        self.commands: queue.Queue[commands.Command | None] = queue.Queue()
        self.detached = self.waiting = False
        self.pause_at = 0
        self.hanging = threading.Event()
        self.folder: RunFolder | None = None
        self.epoch, self.batch, self.done = 1, 0, 0

    # -- channel ------------------------------------------------------------------------------

    def send(self, event: events.Event) -> None:
        self.write(events.encode(event))

    def write(self, line: str) -> None:
        with self.lock, contextlib.suppress(OSError, ValueError):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def emit(self, event: events.Event) -> None:
        if self.folder is not None and not isinstance(event, events.BatchEnded):
            self.folder.append(event)
        self.send(event)

    def listen(self) -> None:
        for line in sys.stdin:
            if self.options.deaf or self.hanging.is_set():
                continue
            command = commands.decode(line)
            if command is not None:
                self.commands.put(command)
        self.commands.put(None)

    def beat(self) -> None:
        while not self.options.hang:
            self.send(events.Heartbeat(next_within=1.0, memory_mb=123.0))
            time.sleep(0.5)

    # -- run ----------------------------------------------------------------------------------

    def main(self) -> int:
        self.send(events.Hello("train", os.getpid(), "fake"))
        for work in (self.listen, self.beat):
            threading.Thread(target=work, daemon=True).start()
        try:
            return self.work()
        except UserError as error:
            self.send(events.Failed(str(error)))
            print(f"error: {error}", file=sys.stderr, flush=True)
            return 2
        except OSError as error:
            self.emit(events.Failed(str(error)))
            print(f"error: {error}", file=sys.stderr, flush=True)
            return 1

    def work(self) -> int:
        config = self.open()
        if config is None:
            return 0
        with self.folder.lock():
            try:
                if self.options.resume:
                    self.restore()
                self.emit(events.PhaseStarted("importing"))
                self.wait(self.options.phase_seconds)
                self.train(config)
            except Leave as leave:
                self.leave(leave)
        return 0

    def open(self) -> configs.RunConfig | None:
        """The run's settings; None for a complete run."""
        options = self.options
        if not options.resume:
            values = {"run_dir": options.run_dir} if options.run_dir else {}
            config = configs.load(file=options.config, values=values)
            self.folder = RunFolder.create(config)
        else:
            self.folder = RunFolder.open(options.resume)
            config = self.folder.config()
            if self.folder.complete():
                self.send(events.Warned(f"{self.folder.path} is complete, nothing to resume"))
                return None
        return config

    def restore(self) -> None:
        """To the last checkpoint that events.jsonl speaks of."""
        assert self.folder is not None
        for line in self.folder["events.jsonl"].read_text().splitlines():
            with contextlib.suppress(ValueError):
                event = events.decode(line)
                if isinstance(event, events.CheckpointSaved):
                    self.epoch, self.batch = event.epoch, event.batch
        self.folder.forget_after(self.epoch - 1)

    def train(self, config: configs.RunConfig) -> None:
        options, epochs = self.options, config.train.epochs
        for phase in ("loading data", "building"):
            self.phase(phase)
            self.wait(options.phase_seconds)
        resumed = (self.epoch, self.batch) if options.resume else None
        self.emit(self.started(config, resumed))
        self.phase("compiling")
        self.wait(options.phase_seconds)
        for number in range(options.chatter):
            print(f"line {number} on stderr", file=sys.stderr, flush=True)
        while self.epoch <= epochs:
            self.run_epoch(config)
        self.phase("testing")
        self.obey()
        self.finish(config)

    def started(self, config: configs.RunConfig, resumed: tuple[int, int] | None):
        return events.RunStarted(
            run_dir=str(self.folder.path),
            method=config.method.name,
            model=config.model.name,
            dataset=config.data.name,
            parameters=1000,
            epochs=config.train.epochs,
            steps_per_epoch=self.options.batches,
            device="CPU (fake)",
            versions={"keras": "0"},
            resumed_at=resumed,
        )

    def phase(self, name: str, epoch: int = 0) -> None:
        self.emit(events.PhaseStarted(name, epoch))

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)
        self.obey()

    def run_epoch(self, config: configs.RunConfig) -> None:
        self.phase("epoch", self.epoch)
        begun = time.monotonic()
        while self.batch < self.options.batches:
            time.sleep(self.options.batch_seconds)
            self.batch += 1
            self.done += 1
            self.misbehave()
            for _ in range(1 + self.options.flood):
                self.send(self.batch_event())
            if self.batch < self.options.batches:
                self.obey()
        self.phase("evaluating", self.epoch)
        if self.options.no_space:
            self.send(events.Warned("cannot write a checkpoint: No space left on device"))
        self.emit(self.epoch_event(config, time.monotonic() - begun))
        ended = self.epoch
        self.epoch, self.batch = self.epoch + 1, 0
        self.checkpoint()
        if self.pause_at and ended >= self.pause_at and ended < config.train.epochs:
            self.pause_at = 0
            self.pause(ended, self.options.batches)
        else:
            self.obey()

    def batch_event(self) -> events.BatchEnded:
        share = (self.epoch + self.batch / self.options.batches) / 10
        loss = 2.3 * math.exp(-share)
        return events.BatchEnded(
            self.epoch, self.batch, self.options.batches, loss, 0.8, 0.5, 1000.0
        )

    def epoch_event(self, config: configs.RunConfig, seconds: float) -> events.EpochEnded:
        t = self.epoch / config.train.epochs
        return events.EpochEnded(
            epoch=self.epoch,
            epochs=config.train.epochs,
            loss=2.3 * math.exp(-3 * t),
            accuracy=0.3 + 0.6 * t,
            robust_accuracy=0.2 + 0.5 * t,
            train_accuracy=0.3 + 0.65 * t,
            train_robust_accuracy=0.2 + 0.6 * t,
            val_accuracy=0.3 + 0.4 * t,
            val_robust_accuracy=0.2 + 0.6 * t * (1 - t),
            label_entropy=0.3 * t,
            label_agreement=1 - 0.1 * t,
            learning_rate=0.1,
            images_per_second=1000.0,
            seconds=round(seconds * self.epoch, 3),
        )

    def finish(self, config: configs.RunConfig) -> None:
        summary = {"best_epoch": 1, "final": {"epoch": config.train.epochs, "accuracy": 0.7}}
        self.folder.write_history()
        self.folder.write_summary(summary)
        self.emit(events.RunEnded(summary))

    def checkpoint(self) -> None:
        path = f"checkpoints/{self.epoch}-{self.batch}"
        self.emit(events.CheckpointSaved(self.epoch, self.batch, path))

    # -- commands -----------------------------------------------------------------------------

    def obey(self) -> None:
        """What came in, between two batches."""
        while True:
            try:
                command = self.commands.get_nowait()
            except queue.Empty:
                return
            self.take(command)

    def take(self, command: commands.Command | None) -> None:
        """Answer a command, then do it."""
        if command is not None:
            accepted = not self.options.refuse
            message = "" if accepted else "The fake trainer refuses everything."
            self.send(events.Acknowledged(command.id, command.name, accepted, message))
            if not accepted:
                return
        self.apply(command)

    def apply(self, command: commands.Command | None) -> None:
        if command is None:
            if not self.detached:
                raise Leave(True, "window")
        elif isinstance(command, commands.Pause):
            if not self.waiting:
                self.pause(self.epoch, self.batch)
        elif isinstance(command, commands.PauseAfter):
            begun = self.epoch if self.batch else self.epoch - 1
            self.pause_at = begun + (command.epochs if self.batch else max(command.epochs, 1))
            self.waiting = False
        elif isinstance(command, commands.Resume):
            self.waiting = False
        elif isinstance(command, commands.Stop):
            raise Leave(True)
        elif isinstance(command, commands.Discard):
            raise Leave(False)
        elif isinstance(command, commands.Detach):
            self.detached = True

    def pause(self, epoch: int, batch: int) -> None:
        self.checkpoint()
        self.emit(events.Paused(epoch, batch))
        self.waiting = True
        while self.waiting:
            self.take(self.commands.get())
        self.emit(events.Continued(epoch, batch))

    def leave(self, leave: Leave) -> None:
        if leave.save:
            self.checkpoint()
            self.emit(events.RunStopped(leave.reason, self.epoch, self.batch))

    def misbehave(self) -> None:
        options = self.options
        if options.garbage:
            self.write("\x00\xff no message {")
            self.write('{"event": "unknown_to_all", "v": 99}')
        if self.done != options.after:
            return
        if options.hang:
            self.hanging.set()
            while True:
                time.sleep(60)
        if options.crash:
            print("the fake trainer is about to end badly", file=sys.stderr, flush=True)
        if options.crash == "segv":
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGSEGV)
        if options.crash == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if options.crash == "exit3":
            os._exit(3)
        if options.crash == "fail":
            raise OSError("cannot write events.jsonl: No space left on device")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("config", nargs="?")
    parser.add_argument("--run-dir", default="")
    parser.add_argument("--resume", default="")
    parser.add_argument("--progress")
    parser.add_argument("--batches", type=int, default=5)
    parser.add_argument("--batch-seconds", type=float, default=0.01)
    parser.add_argument("--phase-seconds", type=float, default=0.0)
    parser.add_argument("--crash", choices=("segv", "kill", "exit3", "fail"))
    parser.add_argument("--after", type=int, default=3)
    parser.add_argument("--flood", type=int, default=0)
    parser.add_argument("--chatter", type=int, default=0)
    for name in ("hang", "garbage", "deaf", "refuse", "no-space"):
        parser.add_argument(f"--{name}", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8")
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    code = FakeTrainer(parse()).main()
    sys.stdout.flush()
    os._exit(code)  # the listening thread may still wait for stdin
