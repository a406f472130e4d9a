"""The fused Adam against stock Keras, and the official learning-rate schedule."""

import keras
import numpy as np
import pytest

from tests.closeness import assert_close
from tf_bigan.errors import UserError
from tf_bigan.optimizers import Adam, ConstantThenExponential


@pytest.mark.parametrize("arguments", [{}, {"beta_1": 0.5, "epsilon": 1e-3}, {"amsgrad": True}])
def test_adam_is_keras_adam(arguments):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(7, 3)).astype(np.float32)
    mine, stock = keras.Variable(start), keras.Variable(start)
    schedule = ConstantThenExponential(0.05, epochs=4, steps_per_epoch=5)
    fused, reference = Adam(schedule, **arguments), keras.optimizers.Adam(schedule, **arguments)
    for _ in range(20):
        gradient = rng.normal(size=start.shape).astype(np.float32)
        fused.apply([gradient], [mine])
        reference.apply([gradient], [stock])
        assert_close(mine.numpy(), stock.numpy())
    assert np.abs(mine.numpy() - start).max() > 0.05
    for a, b in zip(fused.variables, reference.variables, strict=True):
        # 1 - 0.999 has lost three digits where it is computed in float32.
        assert_close(a.numpy(), b.numpy(), tol=1e-4, err_msg=a.path)


def test_adam_first_step_by_hand():
    """m/(1-β₁) = g and v/(1-β₂) = g² after one step, so that it is rate·sign(g) without ε."""
    variable = keras.Variable([1.0, 2.0, 3.0])
    Adam(0.1, epsilon=1e-12).apply([np.float32([4.0, -0.5, 0.0])], [variable])
    np.testing.assert_allclose(variable.numpy(), [0.9, 2.1, 3.0], rtol=1e-5)


def test_official_schedule():
    """lr for 200 epochs, then lr·0.01^((e - 199) / 200): 2e-4 down to 2e-6 in epoch 399."""
    schedule = ConstantThenExponential(2e-4, epochs=400, steps_per_epoch=391)
    rates = {epoch: float(schedule(391 * epoch + 390)) for epoch in (0, 199, 200, 299, 399, 500)}
    expected = {epoch: 2e-4 * 0.01 ** ((epoch - 199) / 200) for epoch in (200, 299, 399)}
    assert rates == pytest.approx({0: 2e-4, 199: 2e-4, **expected, 500: 2e-6}, rel=1e-5)
    assert float(schedule(391 * 250)) == pytest.approx(float(schedule(391 * 250 + 390)), rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ((1e-3, 1, 10), "epochs=1"),
        ((1e-3, 4.0, 10), "epochs=4.0"),
        ((1e-3, 4, 0), "steps_per_epoch=0"),
        ((-1e-3, 4, 10), "learning_rate=-0.001"),
        ((1e-3, 4, 10, 0.0), "final_fraction=0.0"),
    ],
)
def test_mistakes_in_a_schedule(arguments, wrong):
    with pytest.raises(UserError, match=f"^{wrong}: it must be "):
        ConstantThenExponential(*arguments)


def test_schedule_is_saved_with_its_optimizer():
    optimizer = Adam(ConstantThenExponential(1e-3, 4, 10, 0.1), beta_1=0.5)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(copy) is Adam and copy.beta_1 == 0.5
    assert float(copy._learning_rate(35)) == pytest.approx(
        float(optimizer._learning_rate(35)), rel=1e-5
    )
