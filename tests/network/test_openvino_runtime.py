import os
import signal
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def test_openvino_is_imported_without_a_message_home(tmp_path):
    script = "import sys; from countenance.network.openvino_runtime import openvino_runtime; openvino_runtime().Core()"
    told = "; from openvino.tools.ovc import telemetry_utils; print(telemetry_utils.tm.__name__)"
    run = subprocess.run(
        [sys.executable, "-c", script + told],
        env=os.environ | {"HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "openvino.tools.ovc.telemetry_stub"
    assert list(tmp_path.iterdir()) == []


# Two engines that begin and end one after the other, then a child whose end is told by a signal. The handler runs on
# the signal stack that faulthandler asks for, as it does in every program that torch's DataLoader has touched.
TWO_ENGINES = """
import faulthandler, gc, signal, subprocess
faulthandler.enable()
from torch import nn
from countenance.learning.teachers.running import InputRange, openvino_engine
network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.LazyLinear(2))
import torch
network(torch.zeros(1, 3, 112, 112))
given = InputRange(side=112, order="rgb", mean=127.5, scale=127.5)
first = openvino_engine(network, given, "float32", 1)
second = openvino_engine(network, given, "float32", 1)
del first
gc.collect()
del second
gc.collect()
ended = []
signal.signal(signal.SIGCHLD, lambda *_: ended.append(1))
subprocess.run(["true"], check=True)
print(len(ended))
"""


def test_a_process_whose_engines_have_gone_lives_through_the_end_of_a_child():
    run = subprocess.run(
        [sys.executable, "-c", TWO_ENGINES],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
    )
    assert run.returncode != -signal.SIGSEGV, "the signal stack went with an engine"
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "1"
