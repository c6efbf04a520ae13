"""A template protocol: which samples form each template, which templates are compared, and who is searched for where.

Source: IJB-B (Whitelam et al., CVPRW 2017) and IJB-C (Maze et al., ICB 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Names = NDArray[np.object_]
Integers = NDArray[np.int64]
Truths = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SampleTable:
    """The faces of a protocol, one a row; row i is row i of the embeddings. A face in two templates is two rows.

    Attributes:
        names: file names in the set's image folder, [N] strings.
        templates: the template of each row, [N] int64.
        media: the photo or video of each row, [N] int64, not negative.
        five_points: left eye, right eye, nose, left and right corner of the mouth in pixels of the image,
            [N, 5, 2] float32, where the protocol has them.
        detector_scores: how sure the detector was, [N] float32, not negative, where the protocol says.
    """

    names: Names
    templates: Integers
    media: Integers
    five_points: NDArray[np.float32] | None = None
    detector_scores: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.templates)


@dataclass(frozen=True, eq=False)
class TemplatePairs:
    """The comparisons of verification (1:1).

    Attributes:
        first, second: template ids, [P] int64.
        mated: whether both are of one person, [P] bool.
    """

    first: Integers
    second: Integers
    mated: Truths

    def __len__(self) -> int:
        return len(self.mated)


@dataclass(frozen=True, eq=False)
class Gallery:
    """Who is enrolled in one gallery of identification (1:N).

    Attributes:
        name: such as ``G1``.
        templates: template ids, [G] int64.
        subjects: whose they are, [G] int64.
    """

    name: str
    templates: Integers
    subjects: Integers

    def __len__(self) -> int:
        return len(self.templates)


@dataclass(frozen=True, eq=False)
class Probes:
    """The templates that are searched for; a probe is mated in the gallery that holds its subject, non-mated elsewhere.

    Attributes:
        templates: template ids, [Q] int64.
        subjects: whose they are, [Q] int64.
    """

    templates: Integers
    subjects: Integers

    def __len__(self) -> int:
        return len(self.templates)


@dataclass(frozen=True, eq=False)
class TemplateProtocol:
    """One evaluation of templates; :mod:`countenance.data.protocols.protocol_checks` says if it is sound.

    Attributes:
        name: such as ``ijbc``.
        samples: the faces.
        pairs: the comparisons of verification.
        galleries: of identification, each searched by itself; none where the protocol has no 1:N part.
        probes: of identification, where there are any.
    """

    name: str
    samples: SampleTable
    pairs: TemplatePairs
    galleries: tuple[Gallery, ...] = ()
    probes: Probes | None = None

    def counts(self) -> dict[str, Any]:
        """How large the protocol is; ``galleries`` by their names."""
        return {
            "samples": len(self.samples),
            "templates": len(np.unique(self.samples.templates)),
            "pairs": len(self.pairs),
            "mated_pairs": int(np.count_nonzero(self.pairs.mated)),
            "galleries": {gallery.name: len(gallery) for gallery in self.galleries},
            "probes": 0 if self.probes is None else len(self.probes),
        }
