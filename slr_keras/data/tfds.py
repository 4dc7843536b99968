"""Any image classification set of TensorFlow Datasets, by its name."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import sys
from importlib.util import find_spec
from typing import Any

from slr_keras.data._settings import DataSettings
from slr_keras.data._source import Source, Splits
from slr_keras.errors import DataError, did_you_mean

_CONFIG = re.compile(r"(\w+)/[\w.\-]+")  # imagenet_resized/32x32: no path, though it has a slash


@dataclasses.dataclass(frozen=True)
class Tfds(Source):
    """cifar10, cifar100, fashion_mnist, svhn_cropped, imagenet_resized/32x32, ...

    Shape and class names are the set's own, images stay uint8. A prepared set is read from
    ``dir`` without network and without TensorFlow; another one is downloaded to it, which needs
    TensorFlow. Training is the split ``train``; test is ``test``, else ``validation``;
    ``validation`` is used as such beside ``test``.
    """

    name = "tfds"
    rank = 9

    @classmethod
    def matches(cls, name: str) -> bool:
        """Whatever is no path; a slash is taken for ``set/variant`` if such a set exists."""
        config = _CONFIG.fullmatch(name)
        if config:
            return config[1] in _known()
        return not re.search(r"[/\\~]|\.npz$|^$", name, re.IGNORECASE)

    @staticmethod
    def load(settings: DataSettings) -> Splits:
        """See the class; the images are not decoded yet."""
        name = settings.name
        builder = _builder(name, settings.dir)
        _check_task(name, builder, settings.image_size)
        if not builder.is_prepared():
            _download(name, builder)
        return _read_all(name, builder, settings.image_size)


def _known() -> list[str]:
    try:
        import tensorflow_datasets as tfds
    except ImportError:
        return []
    return tfds.list_builders(with_community_datasets=False)


def _builder(name: str, dir: str) -> Any:
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise DataError(
            f"data.name: {name!r} needs TensorFlow Datasets, which is not installed ({error}); "
            "pip install tensorflow-datasets, or use digits, an .npz file or a folder"
        ) from None
    try:
        return tfds.builder(name, data_dir=os.path.expanduser(dir) or None)
    except tfds.core.registered.DatasetNotFoundError:
        raise DataError(
            f"data.name: unknown: {name!r}; expected digits, a TensorFlow Datasets name, an "
            f".npz file or a folder.{_hint(name)}"
        ) from None
    except (ValueError, AssertionError, RuntimeError) as error:  # a config or version it has not
        raise DataError(f"data.name: {' '.join(str(error).split())}") from None


def _hint(name: str) -> str:
    from slr_keras.settings import registry

    own = [source.name for source in registry.variants("data").values() if not source.rank]
    hint = did_you_mean(name, [*own, *_known()])
    if "Known:" in hint:  # several hundred
        hint = " Names are listed at https://www.tensorflow.org/datasets/catalog/overview."
    return hint


def _check_task(name: str, builder: Any, image_size: int) -> None:
    """One image of one size, one label of a class; known before anything is downloaded."""
    import numpy as np
    import tensorflow_datasets as tfds

    features, keys = builder.info.features, builder.info.supervised_keys
    pair = [features[key] for key in keys or () if isinstance(key, str) and key in features]
    kinds = [tfds.features.Image, tfds.features.ClassLabel]
    if len(pair) != 2 or not all(map(isinstance, pair, kinds)):
        raise DataError(
            f"{name}: expected an image classification set, received one of "
            f"{', '.join(features)}; choose another, cifar10 for example"
        )
    shape, dtype = pair[0].shape, np.dtype(pair[0].np_dtype)
    if shape[2] not in (1, 3, 4) or dtype != np.uint8:
        raise DataError(
            f"{name}: expected images of 1, 3 or 4 channels of uint8, received shape {shape} of "
            f"{dtype}; convert them into an .npz file or an image folder"
        )
    if None in shape and not image_size:
        raise DataError(
            f"{name}: expected images of one size, received shape {shape}; "
            "set data.image_size, 224 for example"
        )


def _download(name: str, builder: Any) -> None:
    """Prepares the set in its folder; its messages go to stderr, stdout may carry events."""
    place = builder.data_path.parent.parent
    if not find_spec("tensorflow"):
        raise DataError(
            f"{name}: not prepared in {place}, and preparing it needs TensorFlow, which is not "
            "installed; pip install tensorflow for once, or point --data.dir to the folder that "
            f"holds a prepared {builder.name}/"
        )
    try:
        with contextlib.redirect_stdout(sys.stderr):
            _check_connection(builder)
            builder.download_and_prepare()
    except Exception as error:  # network, disk, a moved file, a missing package: all the same here
        raise DataError(
            f"{name}: not prepared in {place} and the download failed "
            f"({type(error).__name__}: {' '.join(str(error).split())[:200]}); it needs network "
            f"once, or point --data.dir to the folder that holds a prepared {builder.name}/"
        ) from None


def _check_connection(builder: Any) -> None:
    """Without network TFDS itself tries for more than three minutes and prints each attempt."""
    import requests

    urls = [url for url in getattr(builder, "url_infos", None) or () if url.startswith("http")]
    if urls:
        with contextlib.suppress(requests.exceptions.ReadTimeout):  # somebody is there
            requests.head(urls[0], timeout=10)


def _read_all(name: str, builder: Any, image_size: int) -> Splits:
    from slr_keras.data import _records

    available, notes = list(builder.info.splits), []
    if "train" not in available:
        raise DataError(f"{name}: expected a split 'train', received {', '.join(available)}")
    wanted = {"train": "train"}
    if "test" in available:
        wanted |= {"test": "test"} | ({"val": "validation"} if "validation" in available else {})
    elif "validation" in available:
        wanted["test"] = "validation"
        notes.append(f"{name} has no test split: its validation split is the test split here")
    arrays: dict[str, Any] = {}
    for split, source in wanted.items():
        arrays[f"x_{split}"], arrays[f"y_{split}"] = _records.read(builder, source, image_size)
    label = builder.info.features[builder.info.supervised_keys[1]]
    return Splits(**arrays, class_names=tuple(label.names), notes=tuple(notes))
