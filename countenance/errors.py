"""Errors that a user can act on: one sentence that says what, where and what to do."""


class CountenanceError(Exception):
    """Base of every error that this library raises on purpose; its text is one complete sentence."""


class ConfigurationError(CountenanceError):
    """A parameter is unknown, missing or out of range."""


class DataError(CountenanceError):
    """A manifest, crop, label file or table is missing, malformed or contradicts itself."""


class ModelError(CountenanceError):
    """A checkpoint, teacher or release unit is missing, damaged or does not fit."""


class TrainingError(CountenanceError):
    """Training cannot go on, for example because a loss is not finite."""


class DivergenceError(TrainingError):
    """A loss or gradient of a training is no finite number: its settings, or some labels, are of no use."""


class AssessmentError(CountenanceError):
    """A measurement was asked for on numbers that cannot give it."""


class RolloutError(CountenanceError):
    """A rollout was asked for a move that its state, policy or record does not allow."""
