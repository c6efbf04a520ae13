"""Small protocols, and their files as IJB-B and IJB-C publish them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from countenance.data.protocols.face_pairs import FacePairs
from countenance.data.protocols.template_protocol import (
    Gallery,
    Probes,
    SampleTable,
    TemplatePairs,
    TemplateProtocol,
)


def small_protocol(*, points: bool = True) -> TemplateProtocol:
    """Subjects 7 and 9 are enrolled (templates 10 and 20); 11 and 12 are probes of 7, and 21 of 9."""
    coordinates = np.arange(70, dtype=np.float32).reshape(7, 5, 2) / 4
    return TemplateProtocol(
        name="ijbx",
        samples=SampleTable(
            names=np.array([f"{number}.jpg" for number in range(1, 8)], dtype=np.object_),
            templates=np.array([10, 10, 11, 11, 12, 20, 21]),
            media=np.array([1, 2, 3, 3, 4, 5, 6]),
            five_points=coordinates if points else None,
            detector_scores=np.array([0.5, 1, 0.25, 0.75, 1, 1, 0], dtype=np.float32) if points else None,
        ),
        pairs=TemplatePairs(
            first=np.array([10, 10, 10, 20, 20]),
            second=np.array([11, 12, 21, 21, 11]),
            mated=np.array([True, True, False, True, False]),
        ),
        galleries=(
            Gallery("G1", np.array([10]), np.array([7])),
            Gallery("G2", np.array([20]), np.array([9])),
        ),
        probes=Probes(np.array([11, 12, 21]), np.array([7, 7, 9])),
    )


def write_published(protocol: TemplateProtocol, folder: Path) -> Path:
    """Write the text files of a protocol into ``folder/meta`` and return the folder."""
    meta = folder / "meta"
    meta.mkdir(parents=True)
    samples, pairs, name = protocol.samples, protocol.pairs, protocol.name
    write_lines(
        meta / f"{name}_face_tid_mid.txt",
        (f"{face} {tid} {mid}" for face, tid, mid in zip(samples.names, samples.templates, samples.media, strict=True)),
    )
    write_lines(
        meta / f"{name}_template_pair_label.txt",
        (f"{one} {two} {int(same)}" for one, two, same in zip(pairs.first, pairs.second, pairs.mated, strict=True)),
    )
    if samples.five_points is not None and samples.detector_scores is not None:
        numbers = np.column_stack([samples.five_points.reshape(-1, 10), samples.detector_scores])
        write_lines(
            meta / f"{name}_name_5pts_score.txt",
            (f"{face} {' '.join(map(repr, row))}" for face, row in zip(samples.names, numbers.tolist(), strict=True)),
        )
    tables = {f"gallery_{gallery.name}": gallery for gallery in protocol.galleries}
    for part, searched in {**tables, **({"probe_mixed": protocol.probes} if protocol.probes else {})}.items():
        rows = [f"{tid},{sid}" for tid, sid in zip(searched.templates, searched.subjects, strict=True)]
        write_lines(meta / f"{name}_1N_{part}.csv", ["TEMPLATE_ID,SUBJECT_ID", *rows])
    return folder


def write_lines(path: Path, lines: object) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")  # type: ignore[attr-defined]
    return path


def change_line(path: Path, number: int, text: str | None) -> None:
    """Replace a line, counted from 1; None removes it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[number - 1 : number] = [] if text is None else [text]
    write_lines(path, lines)


def assert_same(one: TemplateProtocol, other: TemplateProtocol) -> None:
    assert one.name == other.name and one.counts() == other.counts()
    columns = [
        *((getattr(one.samples, name), getattr(other.samples, name)) for name in vars(one.samples)),
        *((getattr(one.pairs, name), getattr(other.pairs, name)) for name in vars(one.pairs)),
        *(
            (getattr(mine, name), getattr(theirs, name))
            for mine, theirs in zip(one.galleries, other.galleries, strict=True)
            for name in ("templates", "subjects")
        ),
    ]
    assert (one.probes is None) == (other.probes is None)
    if one.probes is not None and other.probes is not None:
        columns += [(one.probes.templates, other.probes.templates), (one.probes.subjects, other.probes.subjects)]
    for mine, theirs in columns:
        assert (mine is None) == (theirs is None)
        if mine is not None:
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)


@st.composite
def protocols(draw: st.DrawFn) -> TemplateProtocol:
    """Any sound protocol of a few templates, its ids anywhere."""
    ids = draw(st.lists(st.integers(0, 10**12), min_size=2, max_size=8, unique=True))
    subject_of = {template: draw(st.integers(0, 3)) for template in ids}
    templates = draw(st.permutations(ids + draw(st.lists(st.sampled_from(ids), max_size=8))))
    count = len(templates)
    numbers = st.floats(0, 1000, width=32)
    with_points = draw(st.booleans())
    pairs = draw(
        st.lists(
            st.tuples(st.sampled_from(ids), st.sampled_from(ids)).filter(lambda pair: pair[0] != pair[1]),
            min_size=1,
            max_size=10,
            unique_by=lambda pair: frozenset(pair),
        )
    )
    cut = draw(st.integers(0, len(ids)))
    enrolled = draw(st.sets(st.sampled_from(ids)))
    galleries = tuple(
        Gallery(name, np.array(list(one_each.values())), np.array(list(one_each)))
        for name, part in (("G1", ids[:cut]), ("G2", ids[cut:]))
        if (one_each := {subject_of[template]: template for template in part if template in enrolled})
    )
    searched = sorted(set(ids) - enrolled)
    return TemplateProtocol(
        name=draw(st.sampled_from(["ijbb", "ijbc"])),
        samples=SampleTable(
            names=np.array(
                draw(
                    st.lists(st.from_regex(r"[a-z0-9_/é'\"]{1,9}\.jpg", fullmatch=True), min_size=count, max_size=count)
                ),
                dtype=np.object_,
            ),
            templates=np.array(templates),
            media=np.array(draw(st.lists(st.integers(0, 10**6), min_size=count, max_size=count))),
            five_points=np.array(
                draw(st.lists(numbers, min_size=10 * count, max_size=10 * count)), dtype=np.float32
            ).reshape(-1, 5, 2)
            if with_points
            else None,
            detector_scores=np.array(draw(st.lists(numbers, min_size=count, max_size=count)), dtype=np.float32)
            if with_points
            else None,
        ),
        pairs=TemplatePairs(
            first=np.array([first for first, _ in pairs]),
            second=np.array([second for _, second in pairs]),
            mated=np.array([subject_of[first] == subject_of[second] for first, second in pairs]),
        ),
        galleries=galleries if draw(st.booleans()) else (),
        probes=Probes(np.array(searched), np.array([subject_of[template] for template in searched]))
        if searched
        else None,
    )


def write_parquet_pairs(pairs: FacePairs, path: Path) -> None:
    """A list of pairs of one's own."""
    columns = {"first": pairs.first, "second": pairs.second, "mated": pairs.mated, "fold": pairs.fold}
    if pairs.group is not None:
        columns["group"] = pairs.group
    path.parent.mkdir(exist_ok=True)
    pd.DataFrame(columns).to_parquet(path, index=False)
