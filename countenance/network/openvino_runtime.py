"""OpenVINO, imported so that it reports nothing home: what computes on faces is nobody else's business."""

from __future__ import annotations

import sys
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
