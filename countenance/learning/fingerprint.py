"""Digests that are equal for equal data, settings and weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass

import numpy as np
import torch
from pydantic import BaseModel

SAMPLED_BYTES = 2**28
"""Of an array longer than this, only evenly spaced rows are looked at: a table of teacher features can be huge."""


def fingerprint(*parts: object) -> str:
    """Digest of settings, arrays, tensors, bytes, text, numbers, and of mappings, sequences and dataclasses of them.

    What has an ``identity`` of its own, as a teacher and a table of its features do, is known by that.

    Raises:
        TypeError: a part is something else.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        _feed(digest, part)
    return digest.hexdigest()


def _feed(digest: hashlib.blake2b, part: object) -> None:
    if isinstance(part, np.ndarray) and part.dtype != object:
        rows = part[:: -(-part.nbytes // SAMPLED_BYTES)] if part.nbytes > SAMPLED_BYTES else part
        digest.update(f"array {part.dtype} {part.shape}\n".encode())
        digest.update(np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data)
    elif isinstance(part, torch.Tensor):
        _feed(digest, part.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        digest.update(f"tensor {part.dtype} {tuple(part.shape)}\n".encode())
    elif isinstance(part, BaseModel):
        digest.update(f"settings {json.dumps(part.model_dump(mode='json'), sort_keys=True)}\n".encode())
    elif isinstance(identity := getattr(part, "identity", None), str):
        digest.update(f"identity {identity}\n".encode())
    elif is_dataclass(part) and not isinstance(part, type):
        _feed(digest, {field.name: getattr(part, field.name) for field in fields(part)})
    elif isinstance(part, Mapping):
        digest.update(f"mapping {len(part)}\n".encode())
        for name in sorted(part):
            _feed(digest, str(name))
            _feed(digest, part[name])
    elif part is None or isinstance(part, str | int | float | bool):
        digest.update(f"{type(part).__name__} {json.dumps(part)}\n".encode())
    elif isinstance(part, bytes | memoryview):
        digest.update(f"bytes {len(part)}\n".encode())
        digest.update(part)
    elif isinstance(part, Sequence | np.ndarray):
        digest.update(f"sequence {len(part)}\n".encode())
        if all(isinstance(item, str) for item in part):
            _feed(digest, "\n".join(part))
        else:
            for item in part:
                _feed(digest, item)
    else:
        raise TypeError(f"There is no fingerprint of a {type(part).__name__}.")
