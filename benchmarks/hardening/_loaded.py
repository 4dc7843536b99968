"""What the process imports from which all tries are forked."""

from slr_keras import train
from slr_keras.backend import keras

keras.Model  # noqa: B018 - imported now
train.main  # noqa: B018
