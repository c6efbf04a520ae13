import pytest

from countenance.errors import TrainingError
from pipelines.hooks import RoomHooks


def test_a_run_under_torchrun_is_refused_since_every_process_would_write_every_data_set(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "a")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match="run it without torchrun, with 'processes' among the room's training"):
        RoomHooks().before_pipeline_run({}, None, None)
