import json
from pathlib import Path

import pytest

from countenance.commands import main

SMALL = ["bench", "rollout", "--repetitions", "30", "--most", "1000"]


def test_the_rollouts_tests_are_tried_and_told_as_json(capsys: pytest.CaptureFixture[str]):
    assert main([*SMALL, "--seed", "3", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["size"]["repetitions"], said["size"]["seed"], said["size"]["most"]) == (30, 3, 1000)
    tests = {trial["test"] for trial in said["trials"]}
    assert {"arms", "paired", "arms, 5 % share", "z-test at every look", "arms, sticky people"} <= tests
    for trial in said["trials"]:
        assert trial["repetitions"] == 30
        assert 0 <= trial["low"] <= trial["rate"] <= trial["high"] <= 1


def test_the_table_names_every_test_with_its_interval_and_a_picture_is_drawn(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    picture = tmp_path / "evidence.png"
    assert main([*SMALL, "--plot", str(picture)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("30 histories each, a look every 100 requests (an arm) up to 1,000, alpha 0.05")
    assert lines[3].startswith("arms") and "wrongly" in lines[3] and "[" in lines[3]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 150_000


@pytest.mark.parametrize(
    "wrong",
    [["--base", "0.03", "--worse", "0.02"], ["--look", "200", "--most", "100"], ["--plot", "x.svg"], ["--alpha", "1"]],
)
def test_wrong_sizes_end_with_2(wrong: list[str]):
    with pytest.raises(SystemExit) as stopped:
        main(["bench", "rollout", *wrong])
    assert stopped.value.code == 2
