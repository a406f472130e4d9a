"""The stored results of a benchmark, and how they are shown."""

from benchmarks import results


def test_records_are_read_as_they_were_appended(tmp_path):
    path = tmp_path / "results.jsonl"
    assert results.read(path) == []
    records = [{"name": "gan", "seed": 0}, {"name": "bigan ±", "values": [0.5, None]}]
    for record in records:
        results.append(path, record)
    assert results.read(path) == records
    assert len(path.read_text().splitlines()) == 2
    results.append(path, {})  # what is there stays
    assert results.read(path) == [*records, {}]


def test_mean_and_spread():
    """Of 1, 2 and 6 the mean is 3, and the variance (4 + 1 + 9) / 2 = 7 = 2.6458²."""
    assert results.mean_and_spread([1, 2, 6], 2) == "3.00 ± 2.65"
    assert results.mean_and_spread([1.0, 2.0, 6.0], 0) == "3 ± 3"
    assert results.mean_and_spread([1.234], 2) == "1.23"
    assert results.mean_and_spread([0.5, 0.5], 1) == "0.5 ± 0.0"
    assert results.mean_and_spread([], 2) == ""


def test_the_mean_has_thousands_separators():
    """The standard deviation of two values is their difference / √2."""
    assert results.mean_and_spread([1767.64], 1) == "1,767.6"
    assert results.mean_and_spread([1_234_000, 1_234_010], 1) == "1,234,005.0 ± 7.1"
