"""What is said beside a table of compared models: its protocol, and what can be held against what."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from countenance.assessment.template_protocol_lists import why_not_searched
from countenance.reporting.comparison_anchors import Anchors
from countenance.reporting.comparison_differences import has_difference, level_of
from countenance.reporting.comparison_reports import ComparedModel, ComparedProtocol
from countenance.reporting.wording import listed, many, percent

_MARKS: Final = {"p": "read from the source", "m": "remembered, to be checked"}
_HEADLINE: Final = 1e-4


def power_words(value: float) -> str:
    """A rate as the field writes it: ``1e-4``, ``0.03``."""
    exponent = round(math.log10(value)) if value > 0 else 0
    return f"1e{exponent}" if value > 0 and exponent < 0 and math.isclose(value, 10.0**exponent) else f"{value:g}"


def protocol_words(table: ComparedProtocol) -> str:
    """The counts of a protocol in one sentence."""
    counts = table.protocol
    if table.kind in ("attributes", "detection"):
        told = [
            many(counts[what], what.removesuffix("s")) for what in ("photos", "faces", "subjects") if counts.get(what)
        ]
        return f"{listed(told)}."
    pairs = f"{many(counts.get('pairs', 0), 'pair')}, {counts.get('mated_pairs', 0):,} of them mated"
    if table.kind == "pairs":
        folds = f", in {many(counts['folds'], 'fold')}" if counts.get("folds") else ""
        return f"{pairs}, of {many(counts.get('photos', 0), 'photo')}{folds}."
    made = f"{many(counts.get('templates', 0), 'template')} of {many(counts.get('samples', 0), 'sample')}; {pairs}"
    galleries = [f"{name} ({count:,})" for name, count in (counts.get("galleries") or {}).items()]
    missing = why_not_searched(len(galleries), counts.get("probes", 0))
    if missing:
        return f"{made}. {missing}."
    word = "gallery" if len(galleries) == 1 else "galleries"
    return f"{made}; {many(counts['probes'], 'probe')} searched in {word} {' and '.join(galleries)}."


def sentences(table: ComparedProtocol, anchors: Anchors) -> list[str]:
    """What a reader of a table must know."""
    words = [_option_words(table)]
    if table.kind in ("attributes", "detection"):
        words += [f"{model.heading}: {said}." for model in table.models if (said := failure_words(model))]
        return [sentence for sentence in [*words, _single_figures(anchors)] if sentence]
    words.append(_anchor_words(table, anchors))
    if table.champion is not None and len(table.models) > 1:
        words.append(_difference_words(table))
    if any(model.report.get("identification") for model in table.models):
        words.append(
            "1:N rates are means over the galleries, each searched by itself; the counts are of the mated probes of "
            "all galleries together."
        )
    return [sentence for sentence in words if sentence]


def failure_words(model: ComparedModel) -> str:
    """What of a model's extraction failed; empty where nothing did."""
    failures = {what: count for what, count in model.report["failures"].items() if count}
    told = [many(count, what.removesuffix("s")) for what, count in failures.items()]
    return f"failed: {', '.join(told)}" if told else ""


def _single_figures(anchors: Anchors) -> str:
    """What was published of attributes and detection, where neither faces nor rules are known to be the same."""
    if not anchors.figures:
        return ""
    told = [
        f"{figure.method}, {figure.metric}: {figure.value:g} {figure.unit} ({figure.mark}, {figure.source})"
        for figure in anchors.figures
    ]
    return (
        f"Published on {anchors.benchmark}, for orientation only, as faces and rules may be others: {'; '.join(told)}. "
        f"{_marks()}."
    )


def _marks() -> str:
    return "; ".join(f"{mark} = {words}" for mark, words in _MARKS.items())


def _option_words(table: ComparedProtocol) -> str:
    rules = {model.report["options"].get("rule") for model in table.models}
    said = (
        "Read as the public scripts do (insightface_compat), at the ROC point nearest to each FAR: it may be exceeded. "
        if "insightface_compat" in rules
        else ""
    )
    options = {
        model.heading: {key: value for key, value in model.report["options"].items() if key != "rule"}
        for model in table.models
    }
    first = next(iter(options.values()))
    different = sorted(
        {key for other in options.values() for key in {*first, *other} if first.get(key) != other.get(key)}
    )
    if not different:
        return said.strip()
    told = [f"{heading}: {_option_list(given, different)}" for heading, given in options.items()]
    return f"{said}The models weren't treated alike: {'; '.join(told)}."


def _option_list(given: Mapping[str, object], keys: list[str]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {_option(given.get(key))}" for key in keys)


def _option(value: object) -> str:
    if value is None:
        return "not said"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _anchor_words(table: ComparedProtocol, anchors: Anchors) -> str:
    if not anchors.methods:
        return (
            f"No published figures stand here: none are on this protocol ('{table.name}'), and those on IJB-C or "
            "another one aren't comparable with it."
        )
    if not anchors.same_protocol:
        return (
            f"This protocol ('{table.name}') isn't {anchors.benchmark} as it was published, so published figures on "
            f"{anchors.benchmark} are not comparable with it: they stand in a table of their own, and not in the plots."
        )
    marks = _marks()
    same = f"Published figures are on the same {anchors.benchmark}, but on other training data and sizes"
    if table.kind == "pairs":
        return f"{same}. {marks}."
    return (
        f"{same}, and mostly read by the public scripts, at the ROC point nearest to each FAR, which may be exceeded; "
        f"the threshold rule never does. {marks}."
    )


def _difference_words(table: ComparedProtocol) -> str:
    if has_difference(table):
        return (
            "The difference to the champion is paired: fold by fold on the same pairs, with a "
            f"{100 * level_of(table):g} % interval over the folds (Student's t)."
        )
    return (
        "Differences to the champion aren't given: paired ones need both models' scores of every pair, which reports "
        "don't hold. Intervals that overlap don't say that two models are alike."
    )


def headline_words(table: ComparedProtocol, title: str) -> str:
    """The figure that a reader looks for first; empty where no model has it."""
    if table.kind in ("attributes", "detection"):
        return ""
    if table.kind == "pairs":
        found = {model.heading: (model.report.get("accuracy") or {}).get("mean") for model in table.models}
        return _told(f"{title}, accuracy", found)
    measured = [
        {row["far"]: row["tar"] for row in model.report["verification"] if row["tar"] is not None}
        for model in table.models
    ]
    common = sorted(
        set.intersection(*(set(tars) for tars in measured)), key=lambda far: abs(math.log10(far / _HEADLINE))
    )
    if not common:
        return ""
    found = {model.heading: tars[common[0]] for model, tars in zip(table.models, measured, strict=True)}
    return _told(f"{title}, TAR at FAR {power_words(common[0])}", found)


def _told(what: str, found: Mapping[str, float | None]) -> str:
    said = [f"{heading} {percent(value, 2)}" for heading, value in found.items() if value is not None]
    said = [words.replace(" %", "\N{NO-BREAK SPACE}%") for words in said]
    return f"{what}: {', '.join(said)}." if said else ""
