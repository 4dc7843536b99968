"""What the window itself can do: files, screens, colours, help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from .. import theme
from ..actions import Action
from ..presenters.context import Context
from .message_bar import MessageBar
from .rail import Place
from .tour import Tour


class Window(Protocol):
    """What the actions need of the window."""

    context: Context
    messages: MessageBar
    tour: Tour
    close: Callable[[], bool]
    show_screen: Callable[[str], None]
    search_actions: Callable[[], None]
    show_shortcuts: Callable[[], None]
    show_about: Callable[[], None]
    open_runs: Callable[[], None]
    ask_other_runs: Callable[[], None]


def own_actions(window: Window, places: Sequence[Place]) -> list[Action]:
    """Those of no screen."""
    return [*_file(window), *_view(window, places), *_help(window)]


def _file(window: Window) -> list[Action]:
    return [
        Action(
            "file.open_runs",
            "Open the runs folder",
            window.open_runs,
            menu="File",
            help="Show the folder of all runs in the file manager.",
        ),
        Action(
            "file.other_runs",
            "Open another runs folder…",
            window.ask_other_runs,
            menu="File",
            help="Choose a folder and open a second window on it.",
        ),
        Action(
            "file.quit",
            "Quit",
            window.close,
            menu="File",
            shortcut="Ctrl+Q",
            help="Close the window; if a run is going on, it asks what should happen to it.",
        ),
    ]


def _view(window: Window, places: Sequence[Place]) -> list[Action]:
    screens = [
        Action(
            f"go.{screen.name}",
            f"Go to {screen.title}",
            partial(window.show_screen, screen.name),
            menu="View",
            shortcut=f"Ctrl+{number}",
            help=f"Bring the screen {screen.title} to the front.",
        )
        for number, screen in enumerate(places, start=1)
    ]
    themes = [
        Action(
            f"theme.{choice}",
            text,
            partial(theme.choose, choice, window.context.settings),
            menu="View",
            enabled=lambda choice=choice: theme.choice() != choice,  # type: ignore[misc]
            help="Change the colours of the window; remembered.",
        )
        for choice, text in (
            ("system", "Colours of the system"),
            ("light", "Light colours"),
            ("dark", "Dark colours"),
        )
    ]
    palette = Action(
        "view.palette",
        "Search actions…",
        window.search_actions,
        menu="View",
        shortcut="Ctrl+K",
        help="Find any action by a few of its letters.",
    )
    dismiss = Action(
        "view.dismiss",
        "Dismiss the message",
        window.messages.dismiss,
        menu="View",
        enabled=lambda: bool(window.messages.text()),
        help="Take the message at the foot of the window away.",
    )
    return [*screens, palette, *themes, dismiss]


def _help(window: Window) -> list[Action]:
    return [
        Action(
            "help.tour",
            "Guided tour",
            window.tour.start,
            menu="Help",
            help="Train, watch, attack, compare, export: five steps.",
        ),
        Action(
            "help.shortcuts",
            "Keyboard shortcuts",
            window.show_shortcuts,
            menu="Help",
            shortcut="F1",
            help="List all actions that have a shortcut.",
        ),
        Action(
            "help.about",
            "About slr_keras",
            window.show_about,
            menu="Help",
            help="Version, paper and licence.",
        ),
    ]
