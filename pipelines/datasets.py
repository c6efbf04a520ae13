"""Catalog entries for what the rooms hand on; each is written aside and renamed, so none is ever half there."""

from __future__ import annotations

import json
import shutil
from abc import abstractmethod
from pathlib import Path, PurePosixPath
from typing import Any, Final, Generic, TypeVar

import numpy as np
import pandas as pd
from kedro.io import AbstractDataset

from countenance.errors import DataError
from countenance.storage import move_folder, write_aside, write_folder_aside

Value = TypeVar("Value")


class FileDataset(AbstractDataset[Value, Value], Generic[Value]):
    """Base: one file, read and written whole.

    One that is ``optional`` loads as None where it was never written, so that a room can go on with what there is.
    """

    def __init__(self, *, filepath: str, optional: bool = False, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = PurePosixPath(filepath)
        self.optional = optional
        self.metadata = metadata

    @property
    def path(self) -> Path:
        """Where the data are; Kedro has made it absolute."""
        return Path(self._filepath)

    def load(self) -> Value:
        """Read the file, or say that there is none."""
        if not self.path.exists():
            if self.optional:
                return None  # type: ignore[return-value]
            raise DataError(f"{self.path} is missing: run the pipeline that writes it first.")
        return self.read(self.path)

    def save(self, data: Value) -> None:
        """Write the file aside and rename it into place."""
        with write_aside(self.path) as aside:
            self.write(data, aside)

    @abstractmethod
    def read(self, path: Path) -> Value:
        """Read from an existing path."""

    @abstractmethod
    def write(self, data: Value, path: Path) -> None:
        """Write to a fresh path."""

    def _exists(self) -> bool:
        return self.optional or self.path.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class JsonDataset(FileDataset[Any]):
    """Plain JSON without NaN, keys in the order in which they were made."""

    def read(self, path: Path) -> Any:
        """Parse the file."""
        return json.loads(path.read_text(encoding="utf-8"))

    def write(self, data: Any, path: Path) -> None:
        """Serialise; a NaN is an error, since no reader of the report could tell it from a number."""
        path.write_text(json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")


class TextDataset(FileDataset[str]):
    """UTF-8 text, e.g. a page of the report."""

    def read(self, path: Path) -> str:
        """Read all of it."""
        return path.read_text(encoding="utf-8")

    def write(self, data: str, path: Path) -> None:
        """Write all of it."""
        path.write_text(data, encoding="utf-8")


class BytesDataset(FileDataset[bytes]):
    """A file as it is, e.g. an exported model."""

    def read(self, path: Path) -> bytes:
        """Read all of it."""
        return path.read_bytes()

    def write(self, data: bytes, path: Path) -> None:
        """Write all of it."""
        path.write_bytes(data)


class TableDataset(FileDataset[pd.DataFrame]):
    """A table: Parquet, or CSV where DVC plots it."""

    def read(self, path: Path) -> pd.DataFrame:
        """Read by the file's ending."""
        return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)

    def write(self, data: pd.DataFrame, path: Path) -> None:
        """Write by the file's ending, without the index."""
        if self.path.suffix == ".csv":
            data.to_csv(path, index=False)
        else:
            data.to_parquet(path, index=False)


class TeacherFeaturesDataset(FileDataset[Any]):
    """What a teacher said of the training faces; loaded as a memory map, and false where there is no teacher."""

    def read(self, path: Path) -> Any:
        """Map the table."""
        from countenance.learning.teachers.features import read_features

        return read_features(path)

    def write(self, data: Any, path: Path) -> None:
        """Write the table."""
        from countenance.learning.teachers.features import write_features

        write_features(data, path)


class ManifestDataset(FileDataset[Any]):
    """The face manifest; saved from an Arrow table, loaded and checked as a DataFrame."""

    def read(self, path: Path) -> pd.DataFrame:
        """Read and check the columns; rows with gaps are for the validation room to name, before anything trains."""
        from countenance.data.manifest import read_manifest

        return read_manifest(path, gaps_allowed=True)

    def write(self, data: Any, path: Path) -> None:
        """Write the table."""
        from countenance.data.manifest import write_manifest

        write_manifest(data, path)


class CropStoreDataset(FileDataset[Any]):
    """The crop store's folder; saving moves a freshly written store into place in one step."""

    def read(self, path: Path) -> Any:
        """Open the memory-mapped store."""
        from countenance.data.crop_store import CropStore

        return CropStore(path)

    def save(self, data: Any) -> None:
        """Take over the folder of a store that was written elsewhere."""
        move_folder(data.folder, self.path)

    def write(self, data: Any, path: Path) -> None:
        """Not used: a folder moves as a whole."""
        raise DataError("A crop store is moved, not written: save it through its dataset.")


class TemplateProtocolDataset(FileDataset[Any]):
    """A folder that ``countenance evaluate ijb --protocol`` reads; or, in its place, why there is no protocol."""

    _REASON: Final = "no_protocol.json"

    def read(self, path: Path) -> Any:
        """Read and check the protocol, or the reason."""
        from countenance.data.protocols.parquet_protocol import read_parquet_protocol
        from pipelines.evaluation.templates import MissingProtocol

        if (path / self._REASON).is_file():
            return MissingProtocol(**json.loads((path / self._REASON).read_text(encoding="utf-8")))
        return read_parquet_protocol(path)

    def save(self, data: Any) -> None:
        """Put the new folder in the place of the old one."""
        with write_folder_aside(self.path) as aside:
            self.write(data, aside)

    def write(self, data: Any, path: Path) -> None:
        """Write the protocol, or the reason, into an empty folder."""
        from countenance.data.protocols.parquet_protocol import write_parquet_protocol
        from pipelines.evaluation.templates import MissingProtocol

        if isinstance(data, MissingProtocol):
            (path / self._REASON).write_text(json.dumps({"reason": data.reason}) + "\n", encoding="utf-8")
        else:
            write_parquet_protocol(data, path)


class EmbeddingFilesDataset(FileDataset[Any]):
    """A folder with an array of embeddings a model, ``<model>.npy``; loaded as memory maps by model."""

    def read(self, path: Path) -> dict[str, Any]:
        """Map every file."""
        return {file.stem: np.load(file, mmap_mode="r", allow_pickle=False) for file in sorted(path.glob("*.npy"))}

    def save(self, data: Any) -> None:
        """Put the new folder in the place of the old one, so that no model of an earlier run stays."""
        with write_folder_aside(self.path) as aside:
            self.write(data, aside)

    def write(self, data: Any, path: Path) -> None:
        """Write the files into an empty folder."""
        for model, embeddings in data.items():
            np.save(path / f"{model}.npy", embeddings, allow_pickle=False)


class NetworkDataset(FileDataset[Any]):
    """A network's weights and configuration in one safetensors file."""

    def save(self, data: Any) -> None:
        """Write the network; the sessions that a training kept beside it have then served their purpose."""
        super().save(data)
        name = self.path.stem.removesuffix("_network")
        shutil.rmtree(self.path.with_name(f"{name}.session"), ignore_errors=True)

    def read(self, path: Path) -> Any:
        """Load the network."""
        from countenance.learning.checkpoint import load_network

        return load_network(path)

    def write(self, data: Any, path: Path) -> None:
        """Save the network."""
        from countenance.learning.checkpoint import save_network

        save_network(data, path)
