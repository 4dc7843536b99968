"""A set of a few images, prepared by TensorFlow Datasets itself as users' sets are."""

import contextlib
import io
import sys

import numpy as np
from PIL import Image

NAMES = ["ant", "bee", "cat"]


def pixels(number, height=6, width=5, channels=3):
    """The image of a number, the same in every test."""
    shape = (height, width, channels)
    return np.random.default_rng(number).integers(0, 256, shape).astype(np.uint8)


def encoded(image, form):
    """An image file in memory."""
    file = io.BytesIO()
    Image.fromarray(image.squeeze()).save(file, form)
    return io.BytesIO(file.getvalue())


def prepare(folder, name="tiny", train=23, test=7, shards=3, form="tfrecord", **options):
    """A prepared set in ``folder/name/1.0.0``; returns its builder.

    Options: ``shape`` of the feature, ``image`` from a number to what the set is given,
    ``encoding`` (png, jpeg), ``label`` from a number to a class.
    """
    import tensorflow_datasets as tfds

    shape, image = options.get("shape", (6, 5, 3)), options.get("image", pixels)
    label = options.get("label", lambda i: i % 3)

    with tfds.core.registered.skip_registration():  # it is found by its files, as in other programs

        class Tiny(tfds.core.GeneratorBasedBuilder):
            VERSION = tfds.core.Version("1.0.0")

            def _info(self):
                features = {
                    "id": tfds.features.Text(),
                    "image": tfds.features.Image(
                        shape=shape, encoding_format=options.get("encoding", "png")
                    ),
                    "label": tfds.features.ClassLabel(names=NAMES),
                }
                return self.dataset_info_from_configs(
                    features=tfds.features.FeaturesDict(features),
                    supervised_keys=("image", "label"),
                )

            def _split_generators(self, _):
                return {"train": self._numbered(0, train), "test": self._numbered(100, 100 + test)}

            def _numbered(self, first, last):
                for i in range(first, last):
                    yield i, {"id": f"number {i}", "image": image(i), "label": label(i)}

            def _generate_examples(self):
                raise NotImplementedError

    Tiny.name = name
    builder = Tiny(data_dir=folder, file_format=form)
    config = tfds.download.DownloadConfig(num_shards=shards)
    with contextlib.redirect_stdout(sys.stderr):
        builder.download_and_prepare(download_config=config)
    return builder
