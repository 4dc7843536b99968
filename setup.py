"""What pyproject.toml cannot say: requirements from their files, and the app's package.

The folder ``gui`` is installed as ``slr_keras_app``: others have a package called ``gui`` too.
"""

import pathlib

from setuptools import find_namespace_packages, setup

HERE = pathlib.Path(__file__).parent
EXTRAS = ("app", "tensorflow", "jax", "torch", "onnx", "cluster", "trackers", "docs")
APP = "slr_keras_app"


def required(extra: str) -> list[str]:
    """The packages that a file of requirements names itself."""
    lines = (HERE / f"requirements-{extra}.txt").read_text(encoding="utf-8").splitlines()
    words = (line.split(" #")[0].strip() for line in lines)
    return [word for word in words if word and not word.startswith(("#", "-r"))]


def packages(folder: str) -> list[str]:
    """The package in a folder and all below, folders of data among them."""
    found = find_namespace_packages(include=[folder, f"{folder}.*"])
    return [name for name in found if "__pycache__" not in name]


setup(
    packages=[
        *packages("slr_keras"),
        *(name.replace("gui", APP, 1) for name in packages("gui")),
    ],
    package_dir={APP: "gui"},
    install_requires=required("base") + required("tensorflow"),
    extras_require={extra: required(extra) for extra in EXTRAS},
)
