import pytest
import tensorflow as tf

from tf_bigan.callbacks import Profile
from tf_bigan.errors import UserError
from tf_bigan.run.config import Config


def test_files_appear(tmp_path, model, fit):
    fit(model, 1, [Profile(tmp_path, 2, 4)])
    (profile,) = tmp_path.rglob("*.xplane.pb")
    assert profile.stat().st_size > 0


@pytest.mark.parametrize(
    "start, stop, begun, expected",
    [
        (0, 1, 0, [(0, "start"), (2, "stop")]),
        (3, 7, 0, [(2, "start"), (8, "stop")]),  # over the end of an epoch
        (5, 100, 0, [(4, "start"), (8, "stop")]),  # training ends before
        (0, 4, 4, []),  # a resumed run is behind them
        (8, 9, 0, []),
    ],
)
def test_whole_calls_are_profiled(tmp_path, model, play, monkeypatch, start, stop, begun, expected):
    model.step.assign(begun)
    told = []

    def tell(what):
        told.append((int(model.step.numpy()), what))

    monkeypatch.setattr(tf.profiler.experimental, "start", lambda _: tell("start"))
    monkeypatch.setattr(tf.profiler.experimental, "stop", lambda: tell("stop"))
    play(model, 2, [Profile(tmp_path, start, stop)])
    assert told == expected


def test_no_steps_are_refused():
    for start, stop in ((3, 3), (4, 3), (-1, 2)):
        with pytest.raises(ValueError, match="start must be at least 0 and below stop"):
            Profile("logs", start, stop)


def test_the_option():
    assert Config().profiled is None
    assert Config(profile="100:110").profiled == (100, 110)
    for text in ("", "5", "5:", ":5", "5:5", "9:5", "-1:5", "a:b", "1:2:3", "1.5:2"):
        with pytest.raises(UserError, match="^profile=.*: give START:STOP") as error:
            Config(profile=text)
        assert "\n" not in str(error.value)
