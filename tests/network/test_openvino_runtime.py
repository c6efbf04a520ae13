import os
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
