"""The same training step, written as users of other libraries would write it.

A peer has the networks, losses, simultaneous update and Adam of tf_bigan's BiGAN:

    weights(): {role: arrays or variables} in the order of `benchmarks.ours.weights`.
    load(weights): takes {role: arrays} in that order, as Keras shapes them.
    losses_and_gradients(x, z): like `benchmarks.ours.losses_and_gradients`.
    seconds_of(steps): seconds of this number of training steps, including the input pipeline.
    train(after): trains until `after`, called with the number of steps after each, returns True.
    recalibrate(steps): moving batch statistics become averages over this many training batches.
    generate(z), encode(x), reconstruct(x): arrays to arrays, as `evaluation.Inputs` takes them.
"""
