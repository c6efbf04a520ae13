import json

import pytest

from countenance.assessment.made_up_protocol import ProtocolSize
from countenance.assessment.template_benchmark import STAGES, Run, TemplateSpeed
from countenance.commands import bench_distillation, bench_ijb, main
from countenance.commands.bench_training import _table
from countenance.learning.distillation_speed import CACHED, LIVE, PUBLISHED, DistillationSize, DistillationSpeed
from countenance.learning.throughput import LOOPS, Throughput
from countenance.learning.turns import Timing


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


def spent(*seconds: float, peak: float = 1000.0) -> Timing:
    return Timing(seconds=seconds, peak_mebibytes=peak, idle_mebibytes=300.0)


SPEED = DistillationSpeed(
    size=DistillationSize(),
    threads=2,
    steps={PUBLISHED: spent(9.0, 8.0, 10.0, peak=6000.0), CACHED: spent(1.0, 2.0, 2.0), LIVE: spent(3.0, 4.0, 4.0)},
    published_header=spent(1.0, 1.0, 1.0),
    header=spent(0.1, 0.1, 0.1),
    loss_difference=2e-6,
    gradient_difference=3e-5,
    live_precision="bfloat16",
)


def test_the_tables_of_distillation_tell_time_memory_and_what_ours_is_worth():
    text = bench_distillation._tables(SPEED)
    lines = text.splitlines()
    assert "64 crops of 112 x 112 pixels, 85,742 classes, MobileFaceNet from iresnet50," in lines[0]
    assert lines[1] == "2 threads, 3 rounds; the live teacher computes in bfloat16"
    assert lines[3].split() == ["whole", "step", "ms", "a", "step", "images/s", "peak", "MiB"]
    assert lines[4].split()[-3:] == ["9000", "7.1", "6000"]
    assert lines[5].endswith("2000      32.0      1000   5.00x as fast (4.00 to 9.00)")
    assert lines[10].endswith("100     640.0      1000   10.00x as fast (10.00 to 10.00)")
    assert "loss differs by 2.0e-06 of the published one's, its gradient by 3.0e-05" in text


def test_the_json_of_distillation_has_every_round_and_ratio():
    said = bench_distillation._values(SPEED)
    assert json.loads(json.dumps(said)) == said
    assert said["steps"][CACHED]["seconds"] == [1.0, 2.0, 2.0]
    assert said["ratios"][CACHED] == {"median": 5.0, "least": 4.0, "most": 9.0}
    assert said["ratios"]["header"]["median"] == 10.0
    assert said["steps"][PUBLISHED]["peak_mebibytes"] == 6000.0


@pytest.mark.parametrize(
    "wrong", [["--input-size", "50"], ["--classes", "8", "--batch-size", "9"], ["--teacher", "me"]]
)
def test_wrong_sizes_of_distillation_end_with_2(wrong: list[str]):
    with pytest.raises(SystemExit) as stopped:
        main(["bench", "distillation", *wrong])
    assert stopped.value.code == 2


@pytest.mark.slow
def test_distillation_is_measured_and_told_as_json(capsys: pytest.CaptureFixture[str]):
    small = ["--batch-size", "4", "--classes", "50", "--input-size", "32", "--teacher", "iresnet18"]
    assert main(["bench", "distillation", *small, "--threads", "1", "--rounds", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert set(said["steps"]) == {PUBLISHED, CACHED, LIVE}
    assert set(said["ratios"]) == {CACHED, LIVE, "header"}
    for timing in (*said["steps"].values(), *said["headers"].values()):
        assert len(timing["seconds"]) == 1
        assert timing["peak_mebibytes"] > timing["idle_mebibytes"] > 0.0
    assert said["loss_difference"] < 1e-4
    assert said["gradient_difference"] < 1e-3


def run_of(*seconds: float, peak: float, accepted: int = 70) -> Run:
    return Run(
        seconds=dict(zip(STAGES, seconds, strict=True)),
        peak_mebibytes=peak,
        idle_mebibytes=180.0,
        accepted=(None, *[accepted] * 5),
        false_accepts=(None, 1, 10, 100, 1000, 10000),
        found=((8, 9, 10), (18, 19, 20)),
        identified=((None, 7), (15, 17)),
    )


PLAIN, OURS = run_of(10.0, 80.0, 10.0, 4.0, peak=4000.0), run_of(0.5, 1.25, 0.25, 1.0, peak=900.0)
IJB_SPEED = TemplateSpeed(
    ProtocolSize(), 1, 2, PLAIN, OURS, ((0.5, run_of(0.3, 0.6, 0.1, 0.4, peak=600.0)), (1.0, OURS))
)


def test_the_tables_of_ijb_tell_time_memory_counts_and_growth():
    text = bench_ijb._tables(IJB_SPEED)
    lines = text.splitlines()
    assert lines[0] == (
        "469,375 embeddings of 512, 23,124 templates, 15,658,489 pairs (19,557 mated), 1 thread, the quickest of "
        "2 runs of each"
    )
    assert lines[3].split() == ["aggregation", "10.00", "0.500", "20.0"]
    assert lines[6].split() == ["total", "100.00", "2.000", "50.0"]
    assert lines[7].split() == ["1:N", "4.00", "1.000", "4.0"]
    assert lines[8].split()[-2:] == ["4,000", "900"]
    assert lines[12].split() == ["1e-06", "-", "-", "-", "-"]
    assert lines[17].split() == ["0.1", "70", "10,000", "70", "10,000"]
    assert lines[20].split() == ["plain,", "gallery", "1", "8", "9", "10", "-", "7"]
    assert "Counts are identical." in text
    assert lines[-2].split() == ["0.5", "1.000", "0.50", "0.400", "0.40", "600"]


def test_counts_that_differ_are_told():
    differs = TemplateSpeed(ProtocolSize(), 2, 1, PLAIN, run_of(0.5, 1.25, 0.25, 1.0, peak=900.0, accepted=71))
    text = bench_ijb._tables(differs)
    assert "Counts are NOT identical." in text
    assert text.splitlines()[0].endswith("2 threads, one run of each")


def test_ijb_is_measured_and_told_as_json(capsys: pytest.CaptureFixture[str]):
    assert main(["bench", "ijb", "--share", "0.003", "--seed", "2", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["identical_counts"] is True
    assert set(said["ratios"]) == {*STAGES, "total"}
    assert said["size"]["pairs"] == 46_975
    assert said["plain"]["accepted"] == said["ours"]["accepted"]


@pytest.mark.parametrize(
    "wrong", [["--share", "0"], ["--share", "2"], ["--share", "0.1", "--full"], ["--folder", "/no/such/folder"]]
)
def test_wrong_options_of_ijb_end_with_2(wrong: list[str]):
    with pytest.raises(SystemExit) as stopped:
        main(["bench", "ijb", *wrong])
    assert stopped.value.code == 2


def test_a_share_that_is_too_small_is_told_in_one_sentence(capsys: pytest.CaptureFixture[str]):
    assert main(["bench", "ijb", "--share", "0.0001"]) == 1
    assert "fewer images than templates" in capsys.readouterr().err


SMALL_CROWD = ["--images", "400", "--subjects", "40", "--groups", "4", "--dimension", "16", "--rate", "0.01"]


def test_bias_is_measured_and_told_as_json(capsys: pytest.CaptureFixture[str]):
    assert main(["bench", "bias", *SMALL_CROWD, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["identical"] is True
    assert said["pairs"] == (400 * 399 - 40 * 10 * 9) // 2
    assert said["seconds"] > 0.0
    assert said["peak_mebibytes"] >= said["idle_mebibytes"] > 0.0
    # Within a group there are 100 images of 10 subjects, between two groups 100 x 100.
    assert [rate["comparisons"] for rate in said["matrix"]["rates"][0]] == [4500, 10_000, 10_000, 10_000]


def test_the_table_of_bias_tells_cost_and_matrix(capsys: pytest.CaptureFixture[str]):
    assert main(["bench", "bias", *SMALL_CROWD, "--threads", "2", "--seed", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("in 4 groups, 16 dimensions: 78,000 non-mated pairs, 2 threads")
    assert lines[2].startswith("processor seconds")
    assert lines[7].startswith("FMR between groups at the common threshold")
    assert lines[8].split() == ["group", "1", "group", "2", "group", "3", "group", "4"]
    assert lines[-1] == "At 1,480 images counts are identical to those of float64, pair by pair."


@pytest.mark.parametrize("wrong", [["--rate", "0.5"], ["--groups", "1"], ["--images", "3"]])
def test_wrong_options_of_bias_end_with_2(wrong: list[str]):
    with pytest.raises(SystemExit) as stopped:
        main(["bench", "bias", *wrong])
    assert stopped.value.code == 2


def test_sizes_of_bias_that_do_not_divide_are_told_in_one_sentence(capsys: pytest.CaptureFixture[str]):
    assert main(["bench", "bias", "--subjects", "999"]) == 1
    assert "10 subjects a group or more" in capsys.readouterr().err
