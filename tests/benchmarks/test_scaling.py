"""The cost model's arithmetic, and the page that it makes."""

import pytest

from benchmarks import scaling
from benchmarks.scaling import Cluster, Job


def test_a_ring_sends_every_part_there_and_back():
    # 4 workers: 6 hops of 2 MB at 1 GB/s, and 1 ms each.
    assert scaling.all_reduce(8e6, 4, 1e9, 1e-3) == pytest.approx(6 * (2e-3 + 1e-3))
    assert scaling.all_reduce(8e6, 1, 1e9, 1e-3) == 0.0


def test_a_prediction_by_hand():
    job = Job("", weights=1e6, flops_an_image=1e9, batch=100, bytes_an_image=2e6)
    cluster = Cluster("two", 2, flops=1e12, memory=2.8e9, network=1e9, latency=1e-3)
    # 50 images at 1 ms; 28 bytes a weight; 2 hops of 2 MB: 50 + 10 + 6 ms, and 100 images in these.
    assert scaling.predict(job, cluster) == (
        "| two | 50 | 10.0 | 6 | 66 | 1,515 | 76 % | 10 | 3.0 |"
    )


def test_two_workers_are_checked_against_the_constants_of_one():
    one = {"workers": 1, "mode": "float32", "weights": 1_000_000, "optimiser": 0.002}
    one |= {"step 64": 0.010, "step 128": 0.018}
    two = one | {"workers": 2, "all-reduce": 0.020, "step 64": 0.045, "step 128": 0.038}
    lines = scaling.section("Machine: here.", one, two).splitlines()
    assert lines[0] == "Machine: here."
    assert "1.0 M weights, float32;" in lines[2]
    assert "all-reduce of 4 MB 20.0 ms (0.20 GB/s)" in lines[2]
    assert "| 1 | 64 | 8.0 | 2.0 | 0.0 | 10.0 | 10.0 | 1.00 |" in lines
    assert "| 1 | 128 | 16.0 | 2.0 | 0.0 | 18.0 | 18.0 | 1.00 |" in lines
    assert "| 2 | 64 | 8.0 | 2.0 | 20.0 | 30.0 | 45.0 | 1.50 |" in lines
    assert "| 2 | 128 | 16.0 | 2.0 | 20.0 | 38.0 | 38.0 | 1.00 |" in lines
