"""OpenVINO, imported so that it reports nothing home: what computes on faces is nobody else's business."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any


def openvino_runtime() -> Any:
    """The module ``openvino``.

    Importing it as it is sends a message to Google Analytics, and makes an identifier in the home folder, unless the
    user knows of an opt-out. Without its companion ``openvino_telemetry`` it does neither, so that isn't let in. Who
    imported it before us has to look after this alone.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


@cache
def openvino_core() -> Any:
    """The one ``openvino.Core`` of this process, made when it is first asked for and kept to its end.

    On CPUs with AMX, the CPU plugin gives the thread that loads it a signal stack of its own, and takes that away
    with its core. When two cores end in the order in which they began, the thread is left with the stack of the first
    one, which no longer exists: the next signal with a handler, such as the end of a child process once torch's
    DataLoader has watched for it, ends the process without a word, faulthandler's included. A core that stays has no
    such end. It is safe to share between threads as long as nobody sets properties on it.
    """
    return openvino_runtime().Core()
