"""One part of each kind, as short as it can be: slr-keras check docs/examples/parts.py."""

import dataclasses

from slr_keras import backend
from slr_keras.backend import keras, ops
from slr_keras.plugin import (
    Analysis,
    Attack,
    Augmentation,
    Corruption,
    Data,
    Diagnosis,
    Labels,
    Method,
    Model,
    Optimizer,
    Schedule,
    Splits,
    losses,
    setting,
)


@dataclasses.dataclass(frozen=True)
class Linear(Model):
    """A linear classifier. --model.name linear"""

    name = "linear"

    def build(self, input_shape, num_classes):
        image = keras.Input(input_shape)
        return keras.Model(image, keras.layers.Dense(num_classes)(keras.layers.Flatten()(image)))


@dataclasses.dataclass(frozen=True)
class Focal(Method):
    """AT with the focal loss (Lin et al. 2017): (1 - p_y)^g CE. --method.name focal"""

    name = "focal"
    gamma: float = setting(2.0, help="g: how little counts what is right already", at_least=0)

    def loss(self, z, target, label):
        each = losses.soft_cross_entropy(z.trained, target)
        return ops.power(1 - ops.exp(-each) + 1e-7, self.gamma) * each


@dataclasses.dataclass(frozen=True)
class Doubt(Labels):
    """Less of the given label from an epoch on. --labels.name doubt"""

    name = "doubt"
    amount: float = setting(0.1, help="share spread over all classes", at_least=0, at_most=1)

    def given(self, one_hot):
        return (1 - self.amount) * one_hot + self.amount / one_hot.shape[-1]


@dataclasses.dataclass(frozen=True)
class OneStep(Attack):
    """One steepest step from the image. --attack.name one_step, evaluate --attacks one_step"""

    name = "one_step"

    def run(self, objective, x, seed):
        gradient = backend.input_gradient(objective, x)
        return self.inside(x, x + self.eps * self.ball.steepest(gradient))


@dataclasses.dataclass(frozen=True)
class Mirror(Augmentation):
    """Every second image from right to left. --data.augment mirror"""

    name = "mirror"
    width = 1  # whole numbers that are drawn for an image

    def draw(self, seed, epoch, index, size):
        from slr_keras.hashing import bits  # of seed, epoch and sample alone, whatever the batch

        return (bits(seed, "mirror", epoch, index) % 2).astype("int32")[:, None]

    def apply(self, images, numbers, xp):
        turned = xp.reshape(numbers, (-1, 1, 1, 1)) > 0
        return xp.where(turned, xp.flip(images, axis=2), images)


@dataclasses.dataclass(frozen=True)
class Dusk(Corruption):
    """Each image darker by a share of its own, up to 15 % with each step of severity."""

    name = "dusk"
    group = "weather"

    def draw(self, draws, shape):
        return (draws.uniform(1, 1, 1),)  # of image and seed alone, whatever the batch

    def change(self, images, *drawn):
        return images * (1 - 0.15 * self.severity * drawn[0])


@dataclasses.dataclass(frozen=True)
class Nadam(Optimizer):
    """Keras' Nadam. --optimizer.name nadam"""

    name = "nadam"

    def build(self, learning_rate):
        return keras.optimizers.Nadam(learning_rate, **self.clipping)


@dataclasses.dataclass(frozen=True)
class Halving(Schedule):
    """Half the rate after every so many epochs. --schedule.name halving"""

    name = "halving"
    every: int = setting(10, help="epochs from one to the next", unit="epochs", at_least=1)

    def build(self, learning_rate, epochs, steps_per_epoch):
        last = [epoch * steps_per_epoch - 1 for epoch in range(self.every, epochs, self.every)]
        rates = [learning_rate / 2**k for k in range(len(last) + 1)]
        return keras.optimizers.schedules.PiecewiseConstantDecay(last, rates) if last else rates[0]


@dataclasses.dataclass(frozen=True)
class Stripes(Data):
    """Pictures of stripes, in three directions. --data.name stripes"""

    name = "stripes"

    @staticmethod
    def load(settings):
        import numpy as np

        draw, y = np.random.default_rng(0), np.arange(600) % 3
        rows, columns = np.mgrid[:8, :8]
        waves = np.stack([rows, columns, rows + columns])[y]
        x = 0.5 + 0.4 * np.sin(waves * 1.6) + 0.05 * draw.normal(size=(600, 8, 8))
        return Splits(np.clip(x, 0, 1).astype("float32"), y, class_names=("lying", "up", "slant"))


@dataclasses.dataclass(frozen=True)
class Confidence(Analysis):
    """How sure the network is. --analysis.record confidence"""

    name = "confidence"
    columns = {"clean": "mean largest probability, clean", "attacked": "the same, attacked"}

    def measure(self, probe):
        seen = {"clean": probe.val.p, "attacked": probe.val.p_attacked}
        return {name: float(p.max(-1).mean()) for name, p in seen.items()}, {}


@dataclasses.dataclass(frozen=True)
class Slow(Diagnosis):
    """An epoch takes longer than an hour."""

    name = "slow"
    title = "slow epochs"

    def look(self, seen):
        if seen.last is None or seen.last.seconds / seen.last.epoch < 3600:
            return None
        return "an epoch takes longer than an hour: try --attack_precision auto, or fewer images"
