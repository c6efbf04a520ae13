"""Rows of a teacher cache that anybody can tell from their number; imports little, for processes that are killed."""

import hashlib

import numpy as np

TEACHER = hashlib.sha256(b"a teacher").hexdigest()
DIMENSION = 6


def keys_of(numbers):
    digests = [hashlib.blake2b(str(number).encode(), digest_size=16).digest() for number in numbers]
    return np.array(digests, dtype="S16")


def features_of(numbers):
    rows = [np.random.default_rng(number).normal(size=(2, DIMENSION)) for number in numbers]
    return np.array(rows, dtype=np.float32).reshape(-1, 2, DIMENSION)
