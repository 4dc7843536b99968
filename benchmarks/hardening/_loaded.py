"""What the process imports from which all tries are forked."""

import importlib

from slr_keras.backend import keras

JOBS = ("attack", "evaluate", "export", "report", "study", "train", "training.loop", "saving")
LOADED = [keras.Model, *(importlib.import_module(f"slr_keras.{job}") for job in JOBS)]
