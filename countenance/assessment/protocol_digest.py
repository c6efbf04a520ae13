"""What tells two template protocols apart that have one name and are equally large: a digest of their lists."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from countenance.assessment.arrays import AnyArray
from countenance.assessment.template_protocol_lists import ProtocolLists

# Rows turned into eight bytes each at a time.
_PART = 1 << 20


def protocol_sha256(protocol: ProtocolLists) -> str:
    """Return the digest of a protocol's lists, 64 hexadecimal digits.

    It covers the template and medium of each sample, the pairs, galleries and probes, all in their order. It doesn't
    cover file names, points and detector scores, nor the form that the protocol was read from.
    """
    columns: dict[str, AnyArray] = {
        "samples, template": protocol.samples.templates,
        "samples, medium": protocol.samples.media,
        "pairs, first": protocol.pairs.first,
        "pairs, second": protocol.pairs.second,
        "pairs, mated": protocol.pairs.mated,
    }
    for gallery in protocol.galleries:
        columns[f"gallery {gallery.name}, template"] = gallery.templates
        columns[f"gallery {gallery.name}, subject"] = gallery.subjects
    if protocol.probes is not None:
        columns["probes, template"] = protocol.probes.templates
        columns["probes, subject"] = protocol.probes.subjects
    digest = hashlib.sha256()
    for name, values in columns.items():
        _add(digest, name, np.asarray(values))
    return digest.hexdigest()


def _add(digest: Any, name: str, values: AnyArray) -> None:
    # Names and lengths stand between the columns, so that no value can pass from one to the next unseen.
    digest.update(f"{name!r} {len(values)}\n".encode())
    for start in range(0, len(values), _PART):
        part = values[start : start + _PART]
        if part.dtype.kind in "biu":
            # Whatever type numbers were read as.
            digest.update(np.ascontiguousarray(part, dtype="u1" if part.dtype.kind == "b" else "<i8"))
        else:
            digest.update("".join(f"{str(value)!r}\n" for value in part).encode())
