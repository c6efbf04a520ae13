"""Templates in the evaluation room: the protocol, the files that the command reads, and the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from countenance.commands import main
from countenance.configuration import narrow
from countenance.data.protocols.template_protocol import TemplateProtocol
from countenance.errors import AssessmentError, ConfigurationError
from pipelines.datasets import EmbeddingFilesDataset, TemplateProtocolDataset
from pipelines.evaluation.templates import (
    MissingProtocol,
    TemplateConfiguration,
    assess_on_templates,
    embeddings_of_samples,
    protocol_of_test_people,
)

SETTINGS = TemplateConfiguration(seed=3, fars=(0.01, 0.25))


def manifest(people: dict[str, int], split: str = "test") -> pd.DataFrame:
    """So many photos of each person, one face a photo."""
    rows = [(f"{person}{photo}", person, split) for person, photos in people.items() for photo in range(photos)]
    frame = pd.DataFrame(rows, columns=["face_id", "subject_id", "split"])
    return frame.assign(photo_sha256=frame["face_id"] + "-photo", is_face=True)


PEOPLE = manifest({"anna": 6, "bela": 6, "carl": 2, "dora": 1})


def said(rows: pd.DataFrame, spread: float = 0.1) -> pd.DataFrame:
    """Embeddings near a direction of each person's own."""
    generator = np.random.default_rng(1)
    people = {person: direction for direction, person in enumerate(sorted(rows["subject_id"].dropna().unique()))}
    embeddings = [
        np.eye(8, dtype=np.float32)[people[person]] + spread * generator.normal(size=8).astype(np.float32)
        for person in rows["subject_id"]
    ]
    return pd.DataFrame({"face_id": rows["face_id"], "embedding": embeddings})


def made(rows: pd.DataFrame = PEOPLE, **changes: Any) -> TemplateProtocol:
    protocol = protocol_of_test_people(rows, SETTINGS.model_copy(update=changes))
    assert isinstance(protocol, TemplateProtocol)
    return protocol


def test_the_protocol_is_made_of_test_people_alone_and_holds_videos() -> None:
    others = manifest({"emil": 4, "fred": 4}, "validation")
    noise = manifest({"gina": 4}).assign(is_face=False)
    protocol = made(pd.concat([others, noise, PEOPLE]))
    assert set(protocol.samples.names) <= set(PEOPLE["face_id"])
    # Anna and Bela have galleries of three photos: one, and a video of two.
    media = pd.Series(protocol.samples.media).value_counts()
    assert set(media) == {1, 2}
    assert protocol.counts()["galleries"] == {"G1": 2, "G2": 1}
    # Their other three photos are one probe each, as is one of Carl's two, and the only one of Dora, whom nobody has.
    assert protocol.counts()["probes"] == 4
    assert protocol.counts()["mated_pairs"] == 3


def test_the_same_seed_makes_the_same_protocol_whatever_the_order_of_the_faces() -> None:
    again = made(PEOPLE.iloc[::-1])
    assert list(again.samples.names) == list(made().samples.names)
    assert list(made(seed=4).samples.names) != list(made().samples.names)


@pytest.mark.parametrize(
    ("people", "words"),
    [
        ({"anna": 6, "bela": 1}, "1 of 2 test people have two photos, and a protocol of templates needs 2"),
        ({}, "0 of 0 test people have two photos"),
    ],
)
def test_too_few_people_are_said_and_stop_nothing(
    people: dict[str, int], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    found = protocol_of_test_people(manifest(people), SETTINGS)
    assert isinstance(found, MissingProtocol) and words in found.reason
    assert f"Templates are not measured: {words}" in caplog.text
    assert embeddings_of_samples(found, {"v1": said(PEOPLE)}) == {}
    assert assess_on_templates(found, {}, SETTINGS, 0.25) == {"protocol": None, "models": {}, "note": found.reason}


def test_two_faces_of_one_photo_are_no_second_photo() -> None:
    twins = manifest({"anna": 2, "bela": 2}).assign(photo_sha256=["p", "p", "q", "q"])
    assert isinstance(protocol_of_test_people(twins, SETTINGS), MissingProtocol)


def test_embeddings_follow_the_samples_whatever_the_order_of_the_outputs() -> None:
    protocol, outputs = made(), said(PEOPLE)
    (rows,) = embeddings_of_samples(protocol, {"v1": outputs.iloc[::-1], "untrained": outputs.iloc[:0]}).values()
    expected = outputs.set_index("face_id").loc[list(protocol.samples.names), "embedding"]
    assert np.array_equal(rows, np.stack(expected.to_list()))


def test_a_face_of_the_protocol_without_an_embedding_is_counted_and_refused() -> None:
    protocol = made()
    outputs = said(PEOPLE)
    outputs.loc[outputs["face_id"] == protocol.samples.names[0], "embedding"] = None
    with pytest.raises(AssessmentError, match="'v1' has no embedding of 1 of the 15 faces of the template protocol"):
        embeddings_of_samples(protocol, {"v1": outputs})


def test_people_who_lie_apart_are_found_and_told_apart() -> None:
    protocol = made()
    report = assess_on_templates(protocol, embeddings_of_samples(protocol, {"v1": said(PEOPLE)}), SETTINGS, 0.25)
    measured = report["models"]["v1"]["protocol"]
    assert report["note"] == "" and measured == {**report["protocol"], "sha256": measured["sha256"]}
    few, quarter = report["models"]["v1"]["verification"]
    # Three templates times four probes, three of them mated: nine pairs of strangers, of which two may be let in.
    assert (few["tar"], few["note"]) == (None, "not measurable: FAR 0.01 is below 1 in 9 non-mated comparisons")
    assert (quarter["tar"], quarter["accepted"], quarter["false_accepts"]) == (1.0, 3, 2)
    assert report["models"]["v1"]["identification"]["ranks"][0]["rate"] == 1.0
    json.dumps(report, allow_nan=False)


def test_the_headline_rate_is_measured_though_it_is_not_configured() -> None:
    protocol = made()
    report = assess_on_templates(protocol, embeddings_of_samples(protocol, {"v1": said(PEOPLE)}), SETTINGS, 0.125)
    assert [row["far"] for row in report["models"]["v1"]["verification"]] == [0.01, 0.125, 0.25]


def test_a_protocol_comes_back_from_its_folder_and_gives_way_to_the_reason_why_there_is_none(tmp_path: Path) -> None:
    dataset = TemplateProtocolDataset(filepath=str(tmp_path / "template_protocol"))
    for protocol in (made(), MissingProtocol("Nobody came."), made(seed=5)):
        dataset.save(protocol)
        read = dataset.load()
        if isinstance(protocol, MissingProtocol):
            assert read == protocol
        else:
            assert read.counts() == protocol.counts()
            assert list(read.samples.names) == list(protocol.samples.names)
    assert [path.name for path in tmp_path.iterdir()] == ["template_protocol"]


def test_the_embeddings_of_a_model_that_is_gone_are_gone(tmp_path: Path) -> None:
    dataset = EmbeddingFilesDataset(filepath=str(tmp_path / "template_embeddings"))
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    dataset.save({"v1": rows, "v2": rows})
    dataset.save({"v2": rows + 1})
    assert {model: values.tolist() for model, values in dataset.load().items()} == {"v2": (rows + 1).tolist()}


def test_the_command_gives_the_rooms_numbers_from_the_files_that_the_room_wrote(tmp_path: Path) -> None:
    protocol = made()
    embeddings = embeddings_of_samples(protocol, {"v1": said(PEOPLE, spread=0.6)})
    TemplateProtocolDataset(filepath=str(tmp_path / "protocol")).save(protocol)
    EmbeddingFilesDataset(filepath=str(tmp_path / "embeddings")).save(embeddings)
    files = ["--protocol", str(tmp_path / "protocol"), "--embeddings", str(tmp_path / "embeddings" / "v1.npy")]
    out = tmp_path / "report.json"
    assert main(["evaluate", "ijb", *files, "--name", "v1", "--out", str(out)]) == 0
    by_command = json.loads(out.read_text())
    fars = tuple(row["far"] for row in by_command["verification"])
    settings = SETTINGS.model_copy(update={"fars": fars})
    by_room = assess_on_templates(protocol, embeddings, settings, fars[0])["models"]["v1"]
    assert {name: by_room[name] for name in by_room if name != "roc"} == {
        name: by_command[name] for name in by_command if name != "roc"
    }


@pytest.mark.parametrize("wrong", [{"frames_per_video": 0}, {"fars": []}, {"samples": 3}])
def test_parameters_that_make_no_sense_are_refused_by_their_file(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="parameters_evaluation.yml"):
        narrow(TemplateConfiguration, {"seed": 7} | wrong, where="parameters_evaluation.yml")
