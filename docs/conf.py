"""Sphinx: make docs."""

import inspect
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from slr_keras import __version__  # noqa: E402

project, author, release = "slr_keras", "the authors of slr_keras", __version__
copyright = "2026, the authors of slr_keras, Apache-2.0"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "results", "app/*.png"]
html_theme, html_title = "furo", f"slr_keras {release}"
html_theme_options = {"source_directory": "docs/"}
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # tests run them
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_class_signature = "mixed"
napoleon_use_ivar = True
napoleon_google_docstring, napoleon_numpy_docstring = True, False
add_module_names = False


def setup(app):
    """Write the settings' reference before pages are read; ask ``__init__`` for signatures."""
    app.connect("builder-inited", lambda _: _write_settings())
    app.connect("autodoc-process-signature", _signature)


def _signature(app, what, name, obj, options, signature, returns):
    """Keras' classes hide theirs behind ``__new__(*args, **kwargs)``."""
    if what == "class" and signature == "(*args, **kwargs)":
        own = inspect.signature(obj.__init__)
        kept = [one for one in own.parameters.values() if one.name != "self"]
        plain = [one.replace(annotation=inspect.Parameter.empty) for one in kept]
        return str(inspect.Signature(plain)), returns
    return None


def _write_settings() -> None:
    from slr_keras import config
    from slr_keras.settings import schema

    rows: dict[str, list[str]] = {}
    for item in config.settings():
        facts = item.facts
        default = schema.show(item.default, facts)
        notes = [", ".join(facts.choices), facts.unit, facts.range]
        what = facts.help.replace("|", "\\|").replace("<", "&lt;")
        variant = f"of `{item.variant}`: " if item.variant else ""
        cells = [
            f"`{item.path}`",
            f"{facts.label}" if facts.label else "",
            f"{variant}{what}",
            "; ".join(note for note in notes if note),
            f"`{default}`" if default not in ("", []) else "none",
        ]
        section = item.path.rpartition(".")[0] or "run"
        rows.setdefault(section, []).append(f"| {' | '.join(cells)} |")
    head = "| flag and TOML key | in the window | what | unit, choices, range | default |"
    parts = [
        "# Settings",
        "",
        "Every one is a flag, `--attack.eps 8/255`, and a TOML key, made from one",
    ]
    parts += ["declaration in the code; this page is made from the same.", ""]
    for section, lines in rows.items():
        parts += [f"## {section}", "", head, "|---|---|---|---|---|", *lines, ""]
    place = pathlib.Path(__file__).parent / "settings.md"
    text = "\n".join(parts)
    if not place.exists() or place.read_text(encoding="utf-8") != text:
        place.write_text(text, encoding="utf-8")
