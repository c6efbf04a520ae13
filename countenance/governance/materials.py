"""What a release was made of: photographs, and networks of others that it goes back to, each with its licence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import pandas as pd
from pydantic import Field

from countenance.configuration import Configuration
from countenance.errors import ModelError
from countenance.governance.licenses import UNKNOWN_LICENSE
from countenance.governance.statements import Statement
from countenance.storage import file_sha256

MaterialKind = Literal["photographs", "network", "training data of a network"]
NOBODY: Final = "nobody"


class Material(Configuration):
    """One thing that a release was made of.

    Attributes:
        name: of the source, or of the network's file.
        kind: what it is.
        role: what it was used for.
        license: an id of the table of licences, or ``unknown``.
        stated_by: who says so.
        sha256: of a network's file, where it was at hand.
    """

    name: str
    kind: MaterialKind
    role: str
    license: str
    stated_by: str
    sha256: str | None = None

    @property
    def shown(self) -> str:
        """In words, with the licence."""
        return (
            f"{self.kind} {self.name} ({self.license})" if self.kind != "network" else f"{self.name} ({self.license})"
        )


class PretrainedStatement(Configuration):
    """What is known of a network that somebody else trained.

    Attributes:
        title: what it is.
        license: of the file.
        stated_by: who says so, e.g. the package that it came in.
        training_data: what it was trained on; "unknown" is a statement, too.
        training_data_license: licence of that; ``unknown`` where nobody says.
        sha256: of the file that the statement is about; a file that differs is refused.
    """

    title: Statement
    license: Statement
    stated_by: Statement
    training_data: Statement
    training_data_license: Statement = UNKNOWN_LICENSE
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


def photograph_materials(manifest: pd.DataFrame, stated_by: Mapping[str, str]) -> list[Material]:
    """One material a source and licence, with what its rows are used for.

    Args:
        manifest: all of it: data that only measures is used, too.
        stated_by: who says so, by source; an importer, where nobody is named.
    """
    materials = []
    for (source, license_), rows in manifest.groupby(["source", "license"], sort=True):
        splits = [split for split in ("train", "validation", "test") if (rows["split"] == split).any()]
        materials.append(
            Material(
                name=str(source),
                kind="photographs",
                role=", ".join(splits),
                license=str(license_),
                stated_by=stated_by.get(str(source), "its importer"),
            )
        )
    return materials


def network_materials(
    path: Path, roles: Sequence[str], statements: Mapping[str, PretrainedStatement]
) -> list[Material]:
    """A network in a file, and what it was trained on. Where nobody made a statement, both licences are unknown.

    Args:
        path: of the file; it need not be there any more.
        roles: what it was used for, e.g. ``teacher``.
        statements: by file name.

    Raises:
        ModelError: the statement is about another file of that name.
    """
    sha256 = file_sha256(path) if path.is_file() else None
    stated, role = statements.get(path.name), " and ".join(roles)
    if stated is None:
        unknown = {"license": UNKNOWN_LICENSE, "stated_by": NOBODY, "role": role}
        return [
            Material(name=path.name, kind="network", sha256=sha256, **unknown),
            Material(name=path.name, kind="training data of a network", **unknown),
        ]
    if None not in (sha256, stated.sha256) and sha256 != stated.sha256:
        raise ModelError(
            f"The statement on the network {path.name} in parameters_registration.yml is about another file: "
            "say what is known of this one, with its sha256."
        )
    return [
        Material(
            name=path.name, kind="network", role=role, license=stated.license, stated_by=stated.stated_by, sha256=sha256
        ),
        Material(
            name=path.name,
            kind="training data of a network",
            role=role,
            license=stated.training_data_license,
            stated_by=stated.stated_by if stated.training_data_license != UNKNOWN_LICENSE else NOBODY,
        ),
    ]


def license_ids(materials: Iterable[Material]) -> tuple[str, ...]:
    """All licences, each once, sorted."""
    return tuple(sorted({material.license for material in materials}))
