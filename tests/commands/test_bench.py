import json

import pytest

from countenance.commands import main
from countenance.commands.bench import _table
from countenance.learning.throughput import LOOPS, Throughput


def test_training_is_measured_in_turns_and_told_as_json(capsys: pytest.CaptureFixture[str]):
    small = ["--seconds", "1", "--batch-size", "4", "--input-size", "32", "--threads", "1", "--json"]
    assert main(["bench", "training", *small]) == 0
    said = json.loads(capsys.readouterr().out)
    assert set(said["images_per_second"]) == set(LOOPS)
    assert all(len(speeds) == 5 and min(speeds) > 0 for speeds in said["images_per_second"].values())
    assert set(said["ratio"]) == {"plain", "plain, channels last"}
    assert 0.0 <= said["data_wait_share"] < 1.0
    assert (said["batch_size"], said["input_size"], said["threads"]) == (4, 32, 1)


def test_the_table_names_every_loop_and_what_ours_is_worth():
    speeds = {LOOPS[0]: (110.0, 120.0, 130.0), LOOPS[1]: (100.0,) * 3, LOOPS[2]: (120.0,) * 3}
    table = _table(
        Throughput(images_per_second=speeds, data_wait_share=0.004, batch_size=8, input_size=64, threads=2)
    ).splitlines()
    assert table[0] == "Training on batches of 8 crops of 64 x 64 pixels, 2 threads, 3 rounds"
    assert table[2].split() == ["countenance", "120"]
    assert table[3].endswith("100   1.20x as fast (1.10 to 1.30)")
    assert table[5] == "Waiting for data: 0.4 % of the step time"


@pytest.mark.parametrize(
    "wrong", [[], ["juggling"], ["training", "--input-size", "50"], ["training", "--seconds", "0"]]
)
def test_wrong_usage_ends_with_2(wrong: list[str]):
    with pytest.raises(SystemExit) as stopped:
        main(["bench", *wrong])
    assert stopped.value.code == 2
