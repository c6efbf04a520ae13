"""From what a configuration says to a teacher that can be asked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path

from countenance.errors import ModelError
from countenance.learning.teachers.checkpoint import IdentityPart, read_checkpoint
from countenance.learning.teachers.configuration import TRAINED_TEACHER, EngineName, TeacherConfiguration, not_there
from countenance.learning.teachers.recogniser_file import RecogniserFile, read_recogniser
from countenance.learning.teachers.running import (
    InputRange,
    Precision,
    fastest_precision,
    onnxruntime_engine,
    openvino_engine,
    torch_device,
    torch_engine,
)
from countenance.learning.teachers.teacher import Engine, OpenedTeacher
from countenance.network.allinone import AllInOneNetwork
from countenance.storage import file_sha256

IDENTITY_VERSION = 1
"""Raised when the same weights come to give other features, for example by another warp to the network's side."""


def open_teacher(configuration: TeacherConfiguration, *, trained: AllInOneNetwork | None = None) -> OpenedTeacher:
    """Open a teacher that looks at faces; its weights are read and checked, its engine starts when it is first asked.

    Args:
        configuration: which, and how it is run.
        trained: the training room's network, for the kind ``trained``.

    Raises:
        ModelError: the file is missing, damaged or no recogniser; or the teacher is a table, which can't look at faces
            (see :func:`countenance.learning.teachers.table.read_table`).
    """
    kind = configuration.kind_of_file
    if kind == "table":
        raise ModelError(
            f"The teacher {Path(configuration.path).name} is a table, which can't look at faces: name a network."
        )
    if kind == "trained":
        if trained is None:
            raise ModelError("The teacher is the trained network, which is not there: run the training room first.")
        return teacher_of_network(trained, configuration, name=TRAINED_TEACHER)
    path = Path(configuration.path)
    mean, scale = configuration.input_range
    given = InputRange(mean=mean, scale=scale, order=configuration.input_order)
    if kind == "checkpoint":
        return teacher_of_network(read_checkpoint(path), configuration, name=path.name, given=given)
    recogniser = read_recogniser(path)
    digest = hashlib.sha256(recogniser.graph).hexdigest()
    return _opened(recogniser, path.name, digest, given, configuration)


def identity_of(configuration: TeacherConfiguration, *, trained: AllInOneNetwork | None = None) -> str:
    """Equal for teachers that say the same of every face; a table's is that of its file.

    Args:
        configuration: which, and how it is run.
        trained: as in :func:`open_teacher`.

    Raises:
        ModelError: the file is missing; of a network, as :func:`open_teacher`.
    """
    if configuration.kind_of_file != "table":
        return open_teacher(configuration, trained=trained).identity
    path = Path(configuration.path)
    if not path.is_file():
        raise ModelError(not_there(path))
    return file_sha256(path)


def teacher_of_network(
    network: AllInOneNetwork,
    configuration: TeacherConfiguration | None = None,
    *,
    name: str = "network",
    given: InputRange | None = None,
) -> OpenedTeacher:
    """A network in memory as a teacher; a copy of its trunk and identity branch is taken.

    For example an IResNet50 on the fastest engine::

        teacher_of_network(AllInOneNetwork(NetworkConfiguration(trunk="iresnet50", input_size=112,
                                                                embedding_dimension=512)))

    Args:
        network: left as it is.
        configuration: engine, precision, device and threads; None = OpenVINO, as fast as it can.
        name: what to call it in a message.
        given: its pixels, where they aren't ours; the side is always the network's.

    Raises:
        ModelError: a weight isn't finite.
    """
    part = IdentityPart(network, name)
    own = replace(given or InputRange(mean=127.5, scale=127.5), side=part.side)
    return _opened(part, name, part.digest(), own, configuration or TeacherConfiguration())


def _opened(
    network: RecogniserFile | IdentityPart,
    name: str,
    weights: str,
    given: InputRange,
    configuration: TeacherConfiguration,
) -> OpenedTeacher:
    engine = configuration.engine
    precision: Precision = "float32"
    if configuration.precision != "fastest":
        precision = configuration.precision
    elif engine == "openvino":
        precision = fastest_precision()
    runs = [engine, precision, torch_device(configuration.device)]
    what = [IDENTITY_VERSION, weights, *astuple(given), *runs]
    identity = hashlib.sha256(json.dumps(what).encode()).hexdigest()
    return OpenedTeacher(
        f"{name} ({engine}, {precision})", identity, _starter(network, engine, given, precision, configuration)
    )


def _starter(
    network: RecogniserFile | IdentityPart,
    engine: EngineName,
    given: InputRange,
    precision: Precision,
    configuration: TeacherConfiguration,
) -> partial[Engine]:
    if engine == "openvino":
        return partial(openvino_engine, network, given, precision, configuration.threads)
    if engine == "onnxruntime" and isinstance(network, RecogniserFile):
        return partial(onnxruntime_engine, network, given, configuration.threads)
    if engine == "torch" and isinstance(network, IdentityPart):
        return partial(torch_engine, network, given, precision, configuration.device)
    raise ModelError(f"The engine '{engine}' can't run this teacher: choose openvino.")
