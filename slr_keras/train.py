"""``python -m slr_keras.train``: train a robust classifier from the command line."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

from slr_keras import cli, events
from slr_keras import config as configs
from slr_keras.errors import ExportError, UserError

EPILOG = """Without preset and file: SLR on scikit-learn's digits with a small CNN, a minute on two
cores. Flags win over the file, the file over the preset."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, train, print the table; returns the exit code."""
    parser = cli.make_parser("train", "Train a robust image classifier.", epilog=EPILOG)
    parser.add_argument("config", nargs="?", help="TOML file with settings")
    parser.add_argument("--preset", metavar="NAME", help="start from a preset")
    parser.add_argument("--resume", metavar="RUN", help="go on with the run in this folder")
    parser.add_argument(
        "--progress",
        choices=("auto", "bar", "plain", "quiet"),
        default="auto",
        help="bar for terminals, plain for logs, quiet [default auto]",
    )
    cli.add_lists(parser)
    cli.add_settings(parser)
    options = parser.parse(arguments)
    if cli.answer_lists(options):
        return 0
    values = cli.values_of(options)
    if options.resume:
        if values or options.config or options.preset:
            raise UserError("--resume goes on with the run's own settings: give no others")
        return _train(None, options.resume, options.progress)
    return _train(configs.load(options.preset, options.config, values), None, options.progress)


def _train(config: configs.RunConfig | None, resume: str | None, progress: str) -> int:
    from slr_keras import console
    from slr_keras.run_folder import RunFolder

    folder = RunFolder.create(config) if config else RunFolder.open(resume or "")
    if folder.complete():
        print(f"{folder.path} is complete, nothing to resume: see {folder['summary.json']}")
        return 0
    command = f"python -m slr_keras.train --resume {folder.path}"
    with console.reporter(progress) as report:
        report(events.PhaseStarted("importing"))
        cli.import_framework()
        from slr_keras.training import loop

        try:
            summary = loop.train(config or folder.config(), folder, report, resume=config is None)
        except loop.Interrupted as stop:
            state = "state saved" if stop.saved else "its state could not be saved"
            name = signal.Signals(stop.signum).name
            report.line(f"stopped by {name}, {state}. Go on with:\n  {command}")
            return 128 + stop.signum
        except UserError:
            if config:
                folder.discard()
            raise
        except (OSError, ExportError):
            report.line(f"what was saved stays. With the cause mended go on with:\n  {command}")
            raise
    if progress != "quiet":
        out = console.Console()
        out.print(console.summary_table(summary))
        out.print(f"curves {folder['curves.png']}", soft_wrap=True, highlight=False)
        if folder["savedmodel"].exists():
            out.print(f"SavedModel {folder['savedmodel']}", soft_wrap=True, highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main))
