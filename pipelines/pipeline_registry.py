"""The table of contents: every room is a pipeline of the same name.

`find_pipelines()` looks in `<package>.pipelines` only and would find nothing here, so the rooms are named.
"""

from kedro.pipeline import Pipeline

from pipelines import (
    ablation,
    bias,
    distillation,
    evaluation,
    ingestion,
    method_comparison,
    mitigation,
    monitoring,
    registration,
    rehearsal,
    reporting,
    rollback,
    rollout,
    student_search,
    training,
    validation,
)

ROOMS = {
    "ingestion": ingestion,
    "validation": validation,
    "training": training,
    "distillation": distillation,
    "evaluation": evaluation,
    "bias": bias,
    "registration": registration,
    "rehearsal": rehearsal,
    "monitoring": monitoring,
    "reporting": reporting,
}
"""The rooms of `kedro run`, in the order in which they work."""

OPERATOR_COMMANDS = {
    "rollout": rollout,
    "rollback": rollback,
    "ablation": ablation,
    "method_comparison": method_comparison,
    "mitigation": mitigation,
    "student_search": student_search,
}
"""Run on purpose only, by a person."""


def register_pipelines() -> dict[str, Pipeline]:
    """Every room by name; `__default__` chains all of them but the operator's commands."""
    rooms = {name: room.create_pipeline() for name, room in ROOMS.items()}
    commands = {name: command.create_pipeline() for name, command in OPERATOR_COMMANDS.items()}
    return {"__default__": sum(rooms.values(), Pipeline([])), **rooms, **commands}
