"""A fast Adam for CPUs, and the learning rate schedule of the official BiGAN code."""

from typing import Annotated

import keras
import tensorflow as tf

from tf_bigan.constraints import Count, NonNegative, Positive, check_arguments


@keras.saving.register_keras_serializable("tf_bigan")
class Adam(keras.optimizers.Adam):
    """A fused `keras.optimizers.Adam` (Kingma & Ba 2015, the faster form of section 2).

    Stock Keras needs about ten passes over memory; TensorFlow's fused kernel needs one, with the
    same formula. Everything else (arguments, saving, schedules) is inherited.
    """

    def update_step(self, gradient, variable, learning_rate):
        if self.amsgrad or isinstance(gradient, tf.IndexedSlices):
            return super().update_step(gradient, variable, learning_rate)
        dtype = variable.dtype
        step = tf.cast(self.iterations + 1, dtype)
        beta_1, beta_2 = tf.cast(self.beta_1, dtype), tf.cast(self.beta_2, dtype)
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=beta_1**step,
            beta2_power=beta_2**step,
            lr=tf.cast(learning_rate, dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.cast(self.epsilon, dtype),
            grad=tf.cast(gradient, dtype),
        )


@keras.saving.register_keras_serializable("tf_bigan")
class ConstantThenExponential(keras.optimizers.schedules.LearningRateSchedule):
    """A constant learning rate, then an exponential decay to `final_fraction` of it.

    The official BiGAN schedule: with N epochs, the constant rate for the first N/2 epochs, then
    rate·0.01^((e - N/2 + 1) / (N/2)) in epoch e, one value per epoch.

    Args:
        learning_rate: the constant rate.
        epochs: N, the epochs until `final_fraction` is reached; the first half is constant.
        steps_per_epoch: optimiser steps per epoch.
        final_fraction: the rate in the last epoch, as a fraction of `learning_rate`.

    Raises:
        UserError: an argument is out of its range, as fewer than two epochs.
    """

    def __init__(
        self,
        learning_rate: NonNegative,
        epochs: Annotated[int, "[2, inf)"],
        steps_per_epoch: Count,
        final_fraction: Positive = 0.01,
    ):
        arguments = {
            "learning_rate": learning_rate,
            "epochs": epochs,
            "steps_per_epoch": steps_per_epoch,
            "final_fraction": final_fraction,
        }
        check_arguments(ConstantThenExponential, arguments)
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.final_fraction = final_fraction

    def __call__(self, step):
        epoch = tf.cast(tf.cast(step, tf.int64) // self.steps_per_epoch, tf.float32)
        constant = self.epochs // 2
        falling = self.epochs - constant
        progress = tf.clip_by_value((epoch - constant + 1) / falling, 0.0, 1.0)
        return self.learning_rate * self.final_fraction**progress

    def get_config(self) -> dict:
        return {
            "learning_rate": self.learning_rate,
            "epochs": self.epochs,
            "steps_per_epoch": self.steps_per_epoch,
            "final_fraction": self.final_fraction,
        }
