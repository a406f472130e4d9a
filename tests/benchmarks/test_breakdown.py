"""The profile sorts a step's operations by what they are for."""

import pytest

from benchmarks import breakdown, ours
from benchmarks.setting import Setting, images

pytestmark = pytest.mark.slow

D = "while/body/_1/while/StatefulPartitionedCall/mlp_discriminator_1"


@pytest.mark.parametrize(
    "operation, kind",
    [
        (f"{D}/dense_8_1/MatMul:_MklMatMul", "products"),
        (f"{D}/conv2d_1/convolution:_MklNativeConv2DBackpropInput", "products"),
        ("while/adam/ResourceApplyAdam_1:ResourceApplyAdam", "Adam"),
        (f"{D}/batch_normalization_3_1/Cast:Cast", "batch norm"),
        (f"{D}/dense_8_1/Cast/Cast:Cast", "casts of weights and their gradients"),
        (f"{D}/LeakyRelu:LeakyRelu", "activations"),
        ("while/Cast_1:Cast", "other casts"),
        (f"{D}/concat:ConcatV2", "all else"),
    ],
)
def test_kinds(operation, kind):
    assert breakdown.kind(operation) == kind


def test_a_step_has_time_for_products_and_adam():
    setting = Setting("tiny", "", "paper", 8, (4, 4, 1), latent=3, width=16)
    milliseconds = breakdown.profile(
        ours.Variant(setting, images(setting, 32), "float32", xla=False)
    )
    for kind in ("products", "Adam", "batch norm", "activations"):
        assert milliseconds[kind] > 0, kind
    assert sum(milliseconds.values()) < 1000
