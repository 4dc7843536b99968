"""``python -m slr_keras.train``: train a robust classifier from the command line."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from slr_keras import config as configs
from slr_keras import installing
from slr_keras.errors import ExportError, UserError
from slr_keras.terminal import cli

if TYPE_CHECKING:
    from slr_keras.protocol import events
    from slr_keras.protocol.channel import Channel
    from slr_keras.run_folder import RunFolder
    from slr_keras.training.crew import Crew

EPILOG = """Without preset and file: SLR on scikit-learn's digits with a small CNN, a minute on two
cores. Flags win over the file, the file over the preset.

Exit codes: 0 done, or left because a window asked; 1 failed; 2 bad input; 75 stopped by its time
limit, --train.max_minutes; 130 and 143 by SIGINT and SIGTERM. What was stopped goes on with
--resume."""

NOTHING = (
    "nothing was learned: clean accuracy was at chance after every epoch, see the warnings above"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, train, print the table; returns the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if cli.wants_json(words):
        return cli.through_channel("train", words, _command)
    return _command(words)


def _parser() -> cli.Parser:
    parser = cli.make_parser("train", "Train a robust image classifier.", epilog=EPILOG)
    parser.add_argument("config", nargs="?", help="TOML file with settings")
    parser.add_argument("--preset", metavar="NAME", help="start from a preset")
    parser.add_argument("--resume", metavar="RUN", help="go on with the run in this folder")
    parser.add_argument(
        "--progress",
        choices=(*cli.MODES, "json"),
        default="auto",
        help="bar for terminals, plain for logs, quiet, json for a window (an event a line on "
        "stdout, commands on stdin, leaves when stdin ends) [default auto]",
    )
    cli.add_lists(parser)
    cli.add_settings(parser)
    return parser


def _command(words: Sequence[str], channel: Channel | None = None) -> int:
    cli.use_plugins(words)
    options = _parser().parse(words)
    if cli.answer_lists(options):
        return 0
    values = cli.values_of(options)
    alien = options.config or options.preset or not configs.passing(values)
    if options.resume and alien:
        raise UserError(
            "--resume goes on with the run's own settings: give no others but "
            "--train.max_minutes, --plugin and --distributed's"
        )
    given = configs.load(options.preset, options.config, values)
    return _train(given, options.resume, options.progress, channel)


def _train(
    given: configs.RunConfig, resume: str | None, progress: str, channel: Channel | None
) -> int:
    """Train as one process of a crew, or as the only one.

    Args:
        given: a new run; with ``resume`` what is asked of this process.
    """
    from slr_keras.run_folder import RunFolder
    from slr_keras.terminal import console

    found = RunFolder.open(resume) if resume else None
    if found:
        found.use_plugins()
    if not given.distributed.coordinator or (found and found.complete()):
        return _train_first(given, resume, progress, channel, None)
    from slr_keras.training.crew import Crew

    crew = Crew.join(given.distributed)
    with _member(crew):
        settings = RunFolder.open(resume).config() if resume else given
        text = configs.plain_text(settings)
        crew.require_equal("their settings", text, "give all the same flags and files")
        if crew.first:
            return _train_first(given, resume, progress, channel, crew)
        folder, report = found or RunFolder(os.devnull), console.SilentReporter()
        settings = configs.lasting(settings, given.train.max_minutes)
        summary = _execute(settings, folder, report, None, bool(resume), crew)
        return summary if isinstance(summary, int) else 0


@contextlib.contextmanager
def _member(crew: Crew) -> Iterator[None]:
    """In the end wait for the others; after an error wait for nobody, and leave with its code."""
    try:
        yield
        crew.part()
    except Exception as error:
        code, _ = cli.failure(error) or (1, "")
        crew.end_with(code)
        raise


def _train_first(
    given: configs.RunConfig,
    resume: str | None,
    progress: str,
    channel: Channel | None,
    crew: Crew | None,
) -> int:
    """Train in the process that writes the run folder."""
    from slr_keras.protocol import events
    from slr_keras.run_folder import RunFolder
    from slr_keras.terminal import console

    if not resume:
        _check_needs(given)
    folder = RunFolder.open(resume) if resume else RunFolder.create(configs.lasting(given))
    with console.reporter(progress, channel) as report:
        if folder.complete():
            done = f"{folder.path} is complete, nothing to resume: see {folder['summary.json']}"
            report(events.Warned(done)) if channel else print(done)
            return 0
        settings = configs.lasting(folder.config() if resume else given, given.train.max_minutes)
        _check_needs(settings)
        with folder.lock():
            for note in folder.agree_to_plugins():
                report(events.Warned(note))
                _note(folder, events.Warned(note), crew)
            summary = _execute(settings, folder, report, channel, bool(resume), crew)
    if isinstance(summary, int):
        return summary
    if progress in {"quiet", "json"}:
        return 0
    from rich.console import Console

    out = Console()
    out.print(console.summary_table(summary))
    out.print(f"curves {folder['curves.png']}", soft_wrap=True, highlight=False)
    if folder["savedmodel"].exists():
        out.print(f"SavedModel {folder['savedmodel']}", soft_wrap=True, highlight=False)
    if not summary["learned"]:
        out.print(NOTHING, soft_wrap=True, highlight=False)
    return 0


def _check_needs(config: configs.RunConfig) -> None:
    """Refuse now what would fail later."""
    from slr_keras.export_formats import FORMATS

    if config.attack.norm == "l0":
        raise UserError("attack.norm: l0 is for evaluation alone: take linf, l2 or l1")
    tracker = config.train.tracker
    if tracker != "none" and importlib.util.find_spec(tracker) is None:
        raise UserError(
            f"train.tracker: {tracker} is not installed: {installing.command('trackers')}"
        )
    if config.train.export:
        FORMATS["saved_model"].check("train.export: ")


def _execute(
    config: configs.RunConfig,
    folder: RunFolder,
    report: Any,
    channel: Channel | None,
    resume: bool,
    crew: Crew | None,
) -> dict[str, Any] | int:
    """The run; returns its summary, or the exit code if it was asked to leave."""
    from slr_keras.protocol import events
    from slr_keras.training.control import Control, Interrupted, on_signals

    asked = channel.commands if channel else None
    control = Control(asked, report, config.train.epochs, config.train.max_minutes)
    command = f"python -m slr_keras.train --resume {folder.path}"
    with on_signals(control):
        _note(folder, events.PhaseStarted("importing"), crew)
        report(events.PhaseStarted("importing"))
        try:
            cli.import_framework("training")
            from slr_keras.training import loop

            summary: dict[str, Any] = loop.train(config, folder, report, resume, control, crew)
            return summary
        except Interrupted as stop:
            what = f"stopped by {stop.reason}" if stop.code else stop.reason
            report.line(f"{what}, {stop.saved}. Go on with:\n  {command}")
            return stop.code
        except UserError as error:
            if resume:
                _note(folder, events.Failed(str(error)), crew)
            else:
                folder.discard()
            raise
        except (OSError, ExportError) as error:
            _, sentence = cli.failure(error) or (1, str(error))
            _note(folder, events.Failed(sentence), crew)
            report.line(f"what was saved stays. With the cause mended go on with:\n  {command}")
            raise
        except Exception as error:
            lost = crew and crew.lost(error)
            if not lost:
                raise
            _note(folder, events.Failed(str(lost)), crew)
            raise lost from None


def _note(folder: RunFolder, event: events.Event, crew: Crew | None) -> None:
    """Keep an event with the run, if the disk takes it."""
    if crew and not crew.first:
        return
    with contextlib.suppress(OSError):
        folder.append(event)


if __name__ == "__main__":
    sys.exit(cli.run(main))
