import json
import math

import pytest

from tests.small import as_it_was
from tf_bigan.callbacks import Checkpoint, Dashboard, Evaluation, SampleGrid
from tf_bigan.errors import UserError


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def by_step(model):
    return {"NND": 100.0 - int(model.step.numpy())}


def test_lines_logs_and_monitor(tmp_path, model, fit, capsys):
    path = tmp_path / "run" / "metrics.jsonl"
    history = fit(
        model, 2, [Evaluation(by_step, path), Checkpoint(tmp_path, monitor="NND")]
    ).history
    lines = read(path)
    assert [(r["epoch"], r["step"], r["NND"]) for r in lines] == [
        (0, 0, 100),
        (1, 4, 96),
        (2, 8, 92),
    ]
    assert all(set(r) == {"epoch", "step", "seconds", "NND"} for r in lines)
    assert 0 <= lines[0]["seconds"] <= lines[1]["seconds"] <= lines[2]["seconds"]
    assert history["NND"] == [96.0, 92.0]
    assert json.loads((tmp_path / "best.json").read_text())["value"] == 92.0
    assert capsys.readouterr().out == ""


def test_what_is_not_finite_is_no_best_and_not_in_the_file(tmp_path, model, play):
    path = tmp_path / "metrics.jsonl"

    def sometimes(model):
        step = int(model.step.numpy())
        return {"EGr": 1.0, "NND": math.nan if step == 8 else 100.0 - step}

    play(model, 2, [Evaluation(sometimes, path), Checkpoint(tmp_path, monitor="NND")])
    assert [r.get("NND") for r in read(path)] == [100, 96, None]
    assert json.loads((tmp_path / "best.json").read_text())["epoch"] == 1


def test_every(tmp_path, model, play):
    path = tmp_path / "metrics.jsonl"
    play(model, 3, [Evaluation(by_step, path, every=2)])
    assert [r["epoch"] for r in read(path)] == [0, 2, 3]  # the last one always
    with pytest.raises(UserError, match="^every=0: it must be an int in"):
        Evaluation(by_step, path, every=0)


def test_a_resumed_run_writes_the_lines_of_an_undisturbed_one(tmp_path, model, play):
    path = tmp_path / "metrics.jsonl"
    earlier = [{"epoch": e, "step": 4 * e, "seconds": 50.0 * e, "NND": e + 0.1} for e in range(4)]
    # Killed in the middle of writing epoch 4; the newest checkpoint is that of step 6.
    path.write_text("".join(json.dumps(r) + "\n" for r in earlier) + '{"epoch": 4, "st')
    play(model, 1)
    model.step.assign(6)
    play(model, 3, [Evaluation(by_step, path)])
    lines = read(path)
    assert lines[:2] == earlier[:2]
    assert [(r["epoch"], r["step"], r["NND"]) for r in lines[2:]] == [(2, 8, 92), (3, 12, 88)]
    assert 50 <= lines[2]["seconds"] <= lines[3]["seconds"]


def test_a_refused_training_leaves_all_files_as_they_were(
    tmp_path, built, fit, images, monkeypatch
):
    """The second new model in a directory is refused by the last of the callbacks."""
    monkeypatch.chdir(tmp_path)

    def callbacks():
        watching = [SampleGrid("samples"), Dashboard("logs", images)]
        return [Evaluation(by_step, "metrics.jsonl"), *watching, Checkpoint("checkpoints")]

    fit(as_it_was(*built), 1, callbacks())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert len(before) > 4 and before[tmp_path / "metrics.jsonl"].count(b"\n") == 2
    with pytest.raises(UserError, match="earlier training"):
        fit(as_it_was(*built), 1, callbacks())
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_another_file_is_not_destroyed(tmp_path, model, play):
    path = tmp_path / "notes.txt"
    for notes in (b"my notes\n", b"\xff\n"):
        path.write_bytes(notes)
        with pytest.raises(UserError, match="notes.txt is not a file of metrics"):
            play(model, 1, [Evaluation(by_step, path)])
        assert path.read_bytes() == notes
