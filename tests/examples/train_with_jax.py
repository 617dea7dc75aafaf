"""Train a small convolutional network in JAX on the random patches of a store."""

import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from seaice import PatchSampler, Store

N_CLASSES, FILL = 6, 255  # of SOD
N_STEPS, BATCH, WIDTH = 30, 4, 16

Weights = list[dict[str, jax.Array]]


def make(key: jax.Array, widths: list[int]) -> Weights:
    """Make the weights of 3 x 3 convolutions."""
    layers = []
    for k, n_in, n_out in zip(
        jax.random.split(key, len(widths) - 1), widths, widths[1:], strict=False
    ):
        scale = (2 / (9 * n_in)) ** 0.5
        layers.append(
            {
                "kernel": scale * jax.random.normal(k, (3, 3, n_in, n_out)),
                "bias": jnp.zeros(n_out),
            }
        )
    return layers


def predict(weights: Weights, inputs: jax.Array) -> jax.Array:
    """Return the logits of each pixel; channels are last, as in the store."""
    planes = inputs
    for number, layer in enumerate(weights):
        planes = layer["bias"] + jax.lax.conv_general_dilated(
            planes,
            layer["kernel"],
            (1, 1),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        if number < len(weights) - 1:
            planes = jax.nn.relu(planes)
    return planes


def loss_of(weights: Weights, inputs: jax.Array, chart: jax.Array) -> jax.Array:
    """Return the cross-entropy over the pixels that have a class."""
    is_valid = chart != FILL
    classes = jnp.where(is_valid, chart, 0)[..., jnp.newaxis]
    logs = jax.nn.log_softmax(predict(weights, inputs))
    errors = -jnp.take_along_axis(logs, classes, axis=-1)[..., 0]
    return jnp.where(is_valid, errors, 0).sum() / jnp.maximum(is_valid.sum(), 1)


@jax.jit
def step(
    weights: Weights, inputs: jax.Array, chart: jax.Array
) -> tuple[Weights, jax.Array]:
    """Take one step of gradient descent."""
    loss, gradients = jax.value_and_grad(loss_of)(weights, inputs, chart)
    return jax.tree.map(lambda w, g: w - 0.05 * g, weights, gradients), loss


def batch(patches: PatchSampler, number: int) -> tuple[Any, Any]:
    """Return inputs, with 0 (the mean) in place of fill, and the classes of SOD."""
    sampled = patches.batch(range(BATCH * number, BATCH * (number + 1)))
    inputs = np.nan_to_num(sampled["inputs"].astype(np.float32))
    return inputs, sampled["charts"][..., 1].astype(np.int32)


patches = PatchSampler(Store.open(sys.argv[1]), size=32)
weights = make(jax.random.key(0), [len(patches.channels), WIDTH, N_CLASSES])
losses = []
for number in range(N_STEPS):
    weights, loss = step(weights, *batch(patches, number))
    losses.append(float(loss))
first, last = np.mean(losses[:5]), np.mean(losses[-5:])
print(f"cross-entropy of SOD: {first:.2f} in the first steps, {last:.2f} in the last")
if not last < first:
    sys.exit("nothing was learned")
