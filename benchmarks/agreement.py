"""Whether a peer computes what tf_bigan computes: the same losses and gradients at equal weights."""

import numpy as np

from benchmarks import ours
from benchmarks.setting import Setting, random_weights

TOLERANCE = 1e-4


def check(setting: Setting, peer, name: str):
    """Gives the peer and a tf_bigan model the same weights, and compares one training step.

    Raises:
        AssertionError: a loss differs by more than 1e-4, or a weight's gradient by more than
            1e-4 of the largest gradient of its network.
    """
    model = ours.make(setting)
    weights = {
        role: random_weights([tuple(v.shape) for v in variables], seed)
        for seed, (role, variables) in enumerate(ours.weights(model).items())
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
    for player, loss in losses.items():
        assert abs(peer_losses[player] - loss) < TOLERANCE, (
            f"{name}: the loss of {player} is {peer_losses[player]}, tf_bigan's is {loss}"
        )
    for role, arrays in gradients.items():
        largest = max(np.abs(array).max() for array in arrays)
        for index, (array, other) in enumerate(zip(arrays, peer_gradients[role], strict=True)):
            error = np.abs(array - other).max() / largest
            assert error < TOLERANCE, (
                f"{name}: gradient {index} of the {role} differs by {error:.1e} of the largest"
            )
