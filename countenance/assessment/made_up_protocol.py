"""A template protocol of IJB-C's shape, made up from a seed: what is measured is how fast and how exact, not how good.

Subjects are directions scattered about a few common ones, so that some strangers are more alike than others. A
template's direction is that of its subject mixed with one of its own, the more the worse its quality, and an image's
embedding is its template's direction with noise, at a length of its own. True accept rates then lie between some 65 %
at FAR 1e-6 and 96 % at 1e-1.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from countenance.assessment.arrays import AnyArray, BoolArray, FloatArray, IntArray
from countenance.errors import AssessmentError

GROUPS: Final = 8
GROUP_SHARE: Final = 0.25
GALLERY_QUALITY: Final = 0.9
IMAGE_NOISE: Final = 1.2
BLOCK_ROWS: Final = 8192
EMBEDDINGS: Final = "embeddings.npy"


@dataclass(frozen=True, kw_only=True)
class ProtocolSize:
    """How large a protocol is; as it stands, as large as IJB-C's.

    Attributes:
        images: faces, each with an embedding.
        galleries: templates of each gallery, one a subject.
        probes: probe templates.
        pairs: comparisons of a gallery template with a probe.
        mated: of them, of one subject.
        dimension: of an embedding.
    """

    images: int = 469_375
    galleries: tuple[int, int] = (1_772, 1_759)
    probes: int = 19_593
    pairs: int = 15_658_489
    mated: int = 19_557
    dimension: int = 512

    @property
    def templates(self) -> int:
        """Of galleries and probes."""
        return sum(self.galleries) + self.probes

    def scaled(self, share: float) -> ProtocolSize:
        """Return a protocol with this share of the images and pairs, and of its root of the templates.

        So pairs stay the same part of all that could be made.

        Raises:
            AssessmentError: the share isn't above 0 and at most 1, or leaves too little.
        """
        if not 0.0 < share <= 1.0:
            raise AssessmentError(f"A protocol at {share} of the size was asked for: give a share above 0, at most 1.")
        root = share**0.5
        one, other = (max(1, round(root * count)) for count in self.galleries)
        made = ProtocolSize(
            images=round(share * self.images),
            galleries=(one, other),
            probes=round(root * self.probes),
            pairs=round(share * self.pairs),
            mated=round(root * self.mated),
            dimension=self.dimension,
        )
        if made.images < made.templates or made.mated < 1 or made.pairs < 100:
            raise AssessmentError(f"A protocol at {share} of the size has fewer images than templates: give more.")
        return made


@dataclass(frozen=True, eq=False)
class MadeUpProtocol:
    """A protocol in a folder: embeddings in :data:`EMBEDDINGS`, all else in a .npy file by its name here.

    Attributes:
        folder: where it is.
        templates: template id of each image, [N].
        media: medium of each image, [N].
        detector_scores: of each image, [N] float32.
        gallery_templates: template ids of all galleries, one gallery after the other, [G].
        gallery_subjects: subject of each, [G].
        gallery_numbers: gallery of each, [G].
        probe_templates: template id of each probe, [Q].
        probe_subjects: subject of each, [Q].
    """

    folder: Path
    templates: IntArray
    media: IntArray
    detector_scores: FloatArray
    gallery_templates: IntArray
    gallery_subjects: IntArray
    gallery_numbers: IntArray
    probe_templates: IntArray
    probe_subjects: IntArray

    @classmethod
    def read(cls, folder: Path) -> MadeUpProtocol:
        """Read what :func:`make_protocol` wrote."""
        names = [field.name for field in fields(cls) if field.name != "folder"]
        return cls(folder=folder, **{name: np.load(folder / f"{name}.npy") for name in names})

    @property
    def first(self) -> IntArray:
        """Gallery template id of each pair, [P]; mapped into memory anew whenever it is asked for."""
        return self._mapped("first")

    @property
    def second(self) -> IntArray:
        """Probe template id of each pair, [P]; likewise."""
        return self._mapped("second")

    @property
    def mated(self) -> BoolArray:
        """Whether each pair is of one subject, [P]; likewise."""
        return self._mapped("mated")

    def _mapped(self, name: str) -> AnyArray:
        array: AnyArray = np.load(self.folder / f"{name}.npy", mmap_mode="r")
        return array


def make_protocol(folder: Path, size: ProtocolSize, seed: int = 0) -> None:
    """Write a protocol into a folder that is there; 1.3 GB at IJB-C's size.

    Args:
        folder: for the files of :class:`MadeUpProtocol`.
        size: of what is made.
        seed: the same seed gives the same files.
    """
    generator = np.random.default_rng(seed)
    enrolled = sum(size.galleries)
    ids = generator.choice(8 * size.templates, size.templates, replace=False) + 1
    probe_subjects = generator.integers(0, enrolled, size.probes)
    subjects = np.concatenate([np.arange(enrolled), probe_subjects])
    template_of_image = _images(size, generator)
    _write_embeddings(folder / EMBEDDINGS, template_of_image, _directions(size, subjects, generator), generator)
    first, second, mated = _pairs(size, probe_subjects, generator)
    arrays: dict[str, AnyArray] = {
        "templates": ids[template_of_image],
        "media": _media(template_of_image, generator),
        "detector_scores": generator.uniform(0.5, 1.0, size.images).astype(np.float32),
        "first": ids[first],
        "second": ids[enrolled:][second],
        "mated": mated,
        "gallery_templates": ids[:enrolled],
        "gallery_subjects": subjects[:enrolled],
        "gallery_numbers": np.repeat([1, 2], size.galleries),
        "probe_templates": ids[enrolled:],
        "probe_subjects": probe_subjects,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def _images(size: ProtocolSize, generator: np.random.Generator) -> IntArray:
    """The template of each image, [N]: every template has one, some have hundreds.

    Those of one template are side by side, as in the published lists, which were made from one line a template.
    """
    weights = generator.lognormal(0.0, 1.2, size.templates)
    more = generator.multinomial(size.images - size.templates, weights / weights.sum())
    return np.repeat(generator.permutation(size.templates), 1 + more)


def _media(template_of_image: IntArray, generator: np.random.Generator) -> IntArray:
    """Half of the images are frames of their template's one video, and the others are photos."""
    photo = np.arange(len(template_of_image)) + int(template_of_image.max()) + 1
    return np.where(generator.random(len(photo)) < 0.5, template_of_image, photo)


def _directions(size: ProtocolSize, subjects: IntArray, generator: np.random.Generator) -> NDArray[np.float32]:
    """Of each template, [T, D], of unit length."""
    enrolled = sum(size.galleries)
    common = _unit(generator.standard_normal((GROUPS, size.dimension), dtype=np.float32))
    own = _unit(generator.standard_normal((enrolled, size.dimension), dtype=np.float32))
    people = _unit(own + GROUP_SHARE * common[generator.integers(0, GROUPS, enrolled)])
    quality = np.full(size.templates, GALLERY_QUALITY, dtype=np.float32)
    quality[enrolled:] = generator.beta(2.2, 2.2, size.probes)
    other = _unit(generator.standard_normal((size.templates, size.dimension), dtype=np.float32))
    other *= np.sqrt(1.0 - quality**2)[:, None]
    other += quality[:, None] * people[subjects]
    return other


def _write_embeddings(
    path: Path, template_of_image: IntArray, directions: NDArray[np.float32], generator: np.random.Generator
) -> None:
    count, dimension = len(template_of_image), directions.shape[1]
    embeddings = open_memmap(path, mode="w+", dtype=np.float32, shape=(count, dimension))
    for start in range(0, count, BLOCK_ROWS):
        templates = template_of_image[start : start + BLOCK_ROWS]
        block = generator.standard_normal((len(templates), dimension), dtype=np.float32)
        block *= IMAGE_NOISE / dimension**0.5
        block += directions[templates]
        block *= generator.uniform(10.0, 30.0, (len(templates), 1)).astype(np.float32)
        embeddings[start : start + BLOCK_ROWS] = block
    embeddings.flush()


def _pairs(
    size: ProtocolSize, probe_subjects: IntArray, generator: np.random.Generator
) -> tuple[IntArray, IntArray, BoolArray]:
    """Gallery template, probe and truth of each pair, in no order; each subject is compared with as many strangers."""
    enrolled = sum(size.galleries)
    own = generator.permutation(size.probes)[: size.mated]
    strangers = np.full(enrolled, (size.pairs - size.mated) // enrolled)
    strangers[: (size.pairs - size.mated) % enrolled] += 1
    seconds = [own]
    for subject, count in enumerate(strangers):
        others = np.flatnonzero(probe_subjects != subject)
        seconds.append(generator.choice(others, count, replace=False, shuffle=False))
    first = np.concatenate([probe_subjects[own], np.repeat(np.arange(enrolled), strangers)])
    mated = np.arange(size.pairs) < size.mated
    order = generator.permutation(size.pairs)
    return first[order], np.concatenate(seconds)[order], mated[order]


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
