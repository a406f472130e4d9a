"""Checks that a peer computes the same losses and gradients as tf_bigan with equal weights."""

import numpy as np

from benchmarks import ours
from benchmarks.setting import Setting, random_weights

# Maximal errors: of a loss, and of a gradient, as norms relative to that of its network's. Rounding
# can move a single unit to the other side of the kink of a ReLU; its few entries differ then, by up
# to 1e-3 of the norm, and all others by 1e-5. bfloat16 has 8 bits and every library rounds at
# different places, so only losses are compared.
FLOAT32, BFLOAT16 = (1e-4, 2e-3), (3e-2, None)


class Disagreement(AssertionError):
    """A peer computes something else."""


def check(setting: Setting, peer):
    """Gives a peer and a float32 tf_bigan model the same weights, and compares a training step.

    Afterwards the peer has initial weights.

    Raises:
        Disagreement: a loss or a gradient differs.
    """
    model = ours.make(setting)
    fresh = {role: [v.numpy() for v in vs] for role, vs in ours.weights(model).items()}
    weights = {
        role: random_weights([array.shape for array in arrays], seed)
        for seed, (role, arrays) in enumerate(fresh.items())
    }
    for role, variables in ours.weights(model).items():
        for variable, array in zip(variables, weights[role], strict=True):
            variable.assign(array)
    peer.load(weights)
    rng = np.random.default_rng(0)
    x = rng.random((setting.batch, *setting.image_shape), np.float32)
    z = rng.uniform(-1.0, 1.0, (setting.batch, setting.latent)).astype(np.float32)
    losses, gradients = ours.losses_and_gradients(model, x, z)
    peer_losses, peer_gradients = peer.losses_and_gradients(x, z)
    loss_error, gradient_error = BFLOAT16 if peer.bfloat16 else FLOAT32
    for player, loss in losses.items():
        if not abs(peer_losses[player] - loss) <= loss_error:
            raise Disagreement(f"its loss of {player} is {peer_losses[player]:.5g}, not {loss:.5g}")
    if gradient_error is not None:
        for role, arrays in gradients.items():
            norm = np.linalg.norm([np.linalg.norm(array) for array in arrays])
            for i, (array, other) in enumerate(zip(arrays, peer_gradients[role], strict=True)):
                error = np.linalg.norm(array - other) / norm
                if not error <= gradient_error:
                    raise Disagreement(f"gradient {i} of its {role} is off by {error:.1e}")
    peer.load(fresh)
