"""One epoch of a fit as a single call into TensorFlow.

Keras's own loop spends a third of an epoch of a network this small on its input pipeline and on
metrics; here the images are placed once, as bytes, and gathered batch by batch. The functions are
traced without autograph, which would slow down the short trials of a search and is not needed.
"""

import keras
import numpy as np
import tensorflow as tf

from train.data.fit_data import EVALUATION_BATCH, VIEWS, FitData, kept, seen
from train.fit import forward
from train.fit.adam import apply
from train.recipes.recipe import Recipe


class Trainer:
    """Fits and evaluates one model, epoch by epoch."""

    def __init__(self, model: keras.Model, recipe: Recipe, data: FitData) -> None:
        self.steps = max(1, len(data.images) // recipe.batch_size)
        self._batch = min(recipe.batch_size, len(data.images))
        self._recipe = recipe
        self._data = data
        self._model = model
        self._run = tf.function(self._steps, autograph=False)
        self._evaluate = tf.function(self._evaluation, autograph=False)

    def epoch(
        self, rates: np.ndarray, random: np.random.Generator, losses: np.ndarray
    ) -> dict[str, float]:
        """Runs an epoch; returns training loss and accuracy, both measured with dropout.

        Args:
            rates: the learning rate of every step of an epoch that leaves nothing out.
            random: decides what is left out, the order and the augmentation.
            losses: (N,) of every image when it was last seen; updated in place.
        """
        recipe = self._recipe
        chosen, weights = kept(losses, recipe.learnt_skipped, random)
        steps = max(1, len(chosen) // self._batch)
        order = random.permutation(len(chosen))[: steps * self._batch]
        chosen, weights = chosen[order], weights[order]
        moved = random.random(steps) < recipe.shifted
        views = np.where(moved, random.integers(0, len(VIEWS), steps), 0)
        mirrored = random.random(len(chosen)) < recipe.mirrored
        rates = rates[np.arange(steps) * len(rates) // steps]
        drawn = (chosen, weights, rates, views.astype(np.int32), mirrored)
        found, hits = (values.numpy() for values in self._run(*map(tf.constant, drawn)))
        losses[chosen] = found
        return {
            "accuracy": float(np.average(hits, weights=weights)),
            "loss": float(np.average(found, weights=weights)),
        }

    def validate(self) -> dict[str, float]:
        """Returns accuracy and loss on the held-out images."""
        loss, accuracy = self._evaluate()
        return {"val_accuracy": float(accuracy), "val_loss": float(loss)}

    def _steps(
        self,
        order: tf.Tensor,
        weights: tf.Tensor,
        rates: tf.Tensor,
        views: tf.Tensor,
        mirrored: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the loss of every image in the order, and whether its class was found."""
        model, data, batch = self._model, self._data, self._batch
        optimizer, variables = model.optimizer, model.trainable_variables
        steps = tf.size(rates)
        losses, hits = (
            tf.TensorArray(kind, steps, infer_shape=False, element_shape=(None,))
            for kind in (tf.float32, tf.bool)
        )

        def one_step(
            step: tf.Tensor, losses: tf.TensorArray, hits: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.TensorArray, tf.TensorArray]:
            part = slice(step * batch, (step + 1) * batch)
            images = tf.gather(data.images, order[part])
            if self._recipe.mirrored:
                flags = mirrored[part][:, tf.newaxis, tf.newaxis]
                images = tf.where(flags, images[:, :, ::-1], images)
            if self._recipe.shifted:
                images = seen(images, views[step])
            labels = tf.gather(data.labels, order[part])
            with tf.GradientTape() as tape:
                logits = forward.logits(model, data.inputs(images), training=True)
                found = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
                if data.taught is not None and self._recipe.taught:
                    said = self._said(order[part], views[step], mirrored[part])
                    found += self._recipe.taught * (self._distance(said, logits) - found)
                loss = tf.reduce_mean(found * weights[part]) + self._excess(logits)
            gradients = tape.gradient(loss, [variable.value for variable in variables])
            optimizer.learning_rate.assign(rates[step])
            apply(optimizer, gradients, variables)
            return step + 1, losses.write(step, found), hits.write(step, _hits(labels, logits))

        start = tf.constant(0), losses, hits
        _, losses, hits = tf.while_loop(lambda step, *_: step < steps, one_step, start)
        return losses.concat(), hits.concat()

    def _said(self, images: tf.Tensor, view: tf.Tensor, mirrored: tf.Tensor) -> tf.Tensor:
        """Returns what the teacher says of images as they are shown."""
        mirror = tf.cast(mirrored, tf.int32)
        places = tf.stack([mirror, tf.fill(tf.shape(mirror), view), images], axis=1)
        return tf.cast(tf.gather_nd(self._data.taught, places), tf.float32)

    def _distance(self, said: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Returns how far logits are from a teacher's, both softened.

        Hinton et al. 2015, arXiv:1503.02531; times the temperature squared, as there, so that its
        gradients stay as large as the labels'.
        """
        temperature = self._recipe.temperature
        soft = tf.nn.softmax(said / temperature)
        distance = tf.nn.softmax_cross_entropy_with_logits(soft, logits / temperature)
        return temperature**2 * distance

    def _excess(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns the loss of what lies outside the recipe's bound, squared.

        Logits as a whole were made small before (logit squeezing, Kannan et al. 2018,
        arXiv:1803.06373); a bound costs those inside it nothing.
        """
        bound = self._recipe.logit_bound
        if bound is None:
            return tf.zeros(())
        centred = logits - tf.reduce_mean(logits, axis=1, keepdims=True)
        excess = tf.nn.relu(tf.abs(centred) - bound)
        return self._recipe.logit_bound_weight * tf.reduce_mean(tf.square(excess))

    def _evaluation(self) -> tuple[tf.Tensor, tf.Tensor]:
        data = self._data
        logits = tf.concat(
            [
                forward.logits(
                    self._model, data.inputs(data.validation_images[at : at + EVALUATION_BATCH])
                )
                for at in range(0, len(data.validation_images), EVALUATION_BATCH)
            ],
            axis=0,
        )
        labels = data.validation_labels
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        accuracy = tf.reduce_mean(tf.cast(_hits(labels, logits), tf.float32))
        return tf.reduce_mean(loss), accuracy


def _hits(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.argmax(logits, axis=1, output_type=tf.int32) == labels
