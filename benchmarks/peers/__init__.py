"""The same training step as users of other libraries would write it.

A peer has the networks, the losses, the simultaneous update and Adam of tf_bigan's BiGAN:

    weights(): {role: arrays or variables} in the order of `benchmarks.ours.weights`.
    load(weights): takes {role: arrays} in that order, as Keras shapes them.
    losses_and_gradients(x, z): like `benchmarks.ours.losses_and_gradients`.
    seconds_of(steps): seconds that so many training steps take, the input pipeline included.
"""
