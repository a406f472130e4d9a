import re
import sys

from tf_bigan.callbacks import Evaluation, Progress


def test_one_line_an_epoch_if_the_output_is_not_a_terminal(tmp_path, model, fit, capsys):
    evaluation = Evaluation(lambda model: {"NND": 12.345678}, tmp_path / "metrics.jsonl")
    history = fit(model, 2, [evaluation, Progress(16)]).history
    before, first, second = capsys.readouterr().out.splitlines()
    assert before == "epoch 0/2  NND 12.35"
    loss = f"{history['loss_D'][0]:.4g}"
    assert first.startswith(f"epoch 1/2  loss_D {loss}  loss_EG ")
    assert re.search(r"accuracy_fake \S+  accuracy_real \S+", first) and "logits" not in first
    assert re.search(r"NND 12\.35  [\d,]+ images/s  \d+\.\d s  \d:\d\d:\d\d left$", first)
    assert re.search(r"images/s  \d+\.\d s$", second)


def test_bar_on_a_terminal(model, play, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    play(model, 1, [Progress(16)])
    *bar, line = capsys.readouterr().out.split("\r")
    assert any(re.match(r"epoch 1/1:   0%.*\| 0/4 \[", state) for state in bar)
    assert line.startswith("epoch 1/1  loss_D 0.5  loss_EG 1.5") and line.count("\n") == 1


def test_broken_off_epoch(model, play, logs_of, capsys):
    play(model, 2, [logs_of(stop_after_step=2), Progress(16)])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("stopped after 2 of 4 steps")


def test_rate_counts_the_images_of_calls(monkeypatch, capsys):
    from tf_bigan.callbacks import progress

    clock = iter([100.0, 101.0, 103.0, 103.0, 105.0, 110.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    callback = Progress(16)
    callback.set_params({"epochs": 3, "steps": 5})
    callback.on_train_begin()
    callback.on_epoch_begin(0)  # 100
    callback.on_train_batch_begin(1)  # 101: resumed in the middle
    callback.on_train_batch_end(2, {})  # 103
    callback.on_train_batch_begin(3)  # 103
    callback.on_train_batch_end(4, {})  # 105: 4 steps of 16 images in 4 s
    callback.on_epoch_end(0, {"loss_D": 0.5})  # 110
    assert capsys.readouterr().out == "epoch 1/3  loss_D 0.5  16 images/s  10.0 s  0:00:20 left\n"


def test_time_left_is_by_the_mean_of_all_epochs_but_the_first(monkeypatch, capsys):
    """The first compiles, and the fourth alone is measured."""
    from tf_bigan.callbacks import progress

    clock = iter([0.0, 60.0, 60.0, 61.0, 61.0, 62.0, 62.0, 66.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    callback = Progress(16)
    callback.set_params({"epochs": 14, "steps": 5})
    callback.on_train_begin()
    for epoch in range(4):
        callback.on_epoch_begin(epoch)
        callback._done = 5
        callback.on_epoch_end(epoch, {})
    left = re.findall(r"(\S+) left", capsys.readouterr().out)
    assert left == ["0:13:00", "0:00:12", "0:00:11", "0:00:20"]
