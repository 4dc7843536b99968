"""What a run says about its data; imports neither numpy nor a framework."""

from __future__ import annotations

import dataclasses

from slr_keras.settings import registry
from slr_keras.settings.schema import Settings, setting


@dataclasses.dataclass(frozen=True)
class DataSettings(Settings):
    """Which data set, and what is done to its training part.

    The order is: check, cut off validation, keep ``train_samples``, read the images of these,
    look at them, change labels. All of it is a function of the data and the run's seed; what the
    test split holds depends on neither the seed nor these steps.

    Example:
        >>> DataSettings(name="cifar10", augment="crop-flip").val_fraction
        0.1
    """

    name: str = setting(
        "digits",
        label="Data set",
        help="digits, the name of a TensorFlow Datasets set (cifar10, fashion_mnist, ...), "
        "the path of an .npz, .parquet or .arrow file, or a folder: of these, or of images in "
        "train/<class>/ and test/<class>/, or in <class>/ alone",
        picks="path",
    )
    dir: str = setting(
        "",
        label="Folder of data sets",
        help="folder that holds prepared TensorFlow Datasets sets; "
        "empty means TFDS_DATA_DIR, or else ~/tensorflow_datasets",
        picks="folder",
    )
    label_column: str = setting(
        "",
        label="Column of labels",
        help="which column of a .parquet or .arrow file holds the labels; empty: the only one, "
        "or the one called label",
    )
    image_size: int = setting(
        0,
        label="Size of images",
        help="width and height that image files are brought to: the longer side is cut at both "
        "ends alike, the square is resized; 0 leaves them as they are, all of one size",
        unit="pixels",
        at_least=0,
    )
    stream: str = setting(
        "auto",
        label="Read from disk while training",
        help="on: images stay on disk and each batch is read when it is due; off: all are "
        "loaded at the start; auto: on for more than 4 GiB of pixels",
        choices=("auto", "on", "off"),
    )
    val_fraction: float = setting(
        0.1,
        label="Share for validation",
        help="share of the training images cut off for validation, in each class alike, when "
        "the source brings no validation split; 0 means no validation split of our own",
        at_least=0,
        below=1,
    )
    train_samples: int = setting(
        0,
        label="Training images used",
        help="use only so many training images, as many of each class as possible, chosen "
        "after the validation cut; 0 means all",
        at_least=0,
    )
    check: bool = setting(
        True,
        label="Look at the data",
        help="look once for what is probably a mistake, and say so: classes without images or "
        "with few, images that also train, contradicting labels, images of one colour, narrow "
        "ranges; of images that stay on disk the labels alone",
    )
    augment: str = setting(
        "none",
        label="Augmentation",
        help="what is done to each training image: nothing; pad 4 black pixels, crop to the old "
        "size and flip every second time; the same and a black square; or IDBH's crops, shifts, "
        "colours and erasing",
        choices=registry.Names("augmentations"),
    )
    place: str = setting(
        "auto",
        label="Where images wait",
        help="where the training images wait: in the memory of the host, or on the device, so "
        "that steps augment them there and the host sends no pixels; auto: on a GPU (JAX, "
        "PyTorch) whose memory they fill to a quarter at most",
        choices=("auto", "host", "device"),
    )
    label_noise: float = setting(
        0.0,
        label="Share of noisy labels",
        help="share of the training labels that are drawn anew by noise_kind; "
        "validation and test labels stay",
        at_least=0,
        at_most=1,
    )
    noise_kind: str = setting(
        "symmetric",
        label="Kind of label noise",
        help="symmetric: uniform over all K classes, the old one included, so the true error "
        "rate is label_noise * (K - 1) / K; pair: class y becomes (y + 1) mod K",
        choices=("symmetric", "pair"),
    )
