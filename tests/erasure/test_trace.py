import json

import pandas as pd

from countenance.data.manifest import manifest_table, to_frame
from countenance.data.protected_attributes import subject_key
from countenance.erasure.trace import Trace, needles_of, person_in, roster_key, trace_of
from countenance.rollout.traffic import routing_key

SECRETS = {"subject_secret": b"subject secret", "routing_secret": b"routing secret"}


def manifest(*rows: tuple[str, str | None, str]) -> pd.DataFrame:
    """Face id, subject (None: unnamed; "-": background) and photo."""
    made = [
        {
            "face_id": face, "source": "s", "photo": photo, "photo_sha256": f"digest of {photo}", "is_face": who != "-",
            "crop": face, "subject_id": None if who == "-" else who, "license": "own", "split": "train",
            "box_xywh": [10.0 * number, 0.0, 8.0, 8.0],
        }
        for number, (face, who, photo) in enumerate(rows)
    ]  # fmt: skip
    return to_frame(manifest_table(made))


WORLD = manifest(
    ("f1", "s:Ada", "Ada_1.jpg"),
    ("f2", "-", "Ada_1.jpg"),
    ("f3", None, "Ada_1.jpg"),
    ("f4", "s:Ada", "party.jpg"),
    ("f5", "s:Bob", "party.jpg"),
    ("f6", "-", "party.jpg"),
    ("f7", "s:Bob", "Bob_1.jpg"),
    ("f8", "-", "Bob_1.jpg"),
)


def test_with_a_person_go_the_unnamed_and_the_background_of_every_photo_that_they_are_in():
    found = person_in(WORLD, "s:Ada")
    assert found.faces == {"f1", "f2", "f3", "f4", "f6"}
    assert found.unnamed == {"f2", "f3", "f6"}
    assert found.kept["face_id"].tolist() == ["f5", "f7", "f8"]
    assert found.splits == {"train": 2}


def test_a_photo_with_another_named_person_is_not_the_persons_own():
    found = person_in(WORLD, "s:Ada")
    assert found.photos == {("s", "Ada_1.jpg")}
    assert found.photo_hashes == {"digest of Ada_1.jpg"}
    assert list(found.shared) == ["digest of party.jpg"]
    assert found.shared["digest of party.jpg"].own == ((30.0, 0.0, 8.0, 8.0),)
    assert found.shared["digest of party.jpg"].others == ((40.0, 0.0, 8.0, 8.0),)


def test_a_copy_of_an_own_photo_without_a_name_goes_too():
    copy = manifest(("g1", None, "copy.jpg")).assign(photo_sha256="digest of Ada_1.jpg")
    assert "g1" in person_in(pd.concat([WORLD, copy], ignore_index=True), "s:Ada").faces


def test_who_is_not_there_leaves_everything():
    found = person_in(WORLD, "s:Eve")
    assert not found.faces
    assert not found.shared
    assert len(found.kept) == len(WORLD)


def test_a_trace_knows_the_person_under_every_key():
    trace = trace_of("s:Ada", person_in(WORLD, "s:Ada"), [], **SECRETS)
    assert trace.keys == {
        subject_key("s:Ada", "", b"subject secret"),
        *(subject_key(None, face, b"subject secret") for face in ("f2", "f3", "f6")),
        routing_key("s:Ada", b"routing secret"),
        roster_key("s:Ada", b"subject secret"),
    }


def test_what_stood_for_the_person_earlier_counts_unless_it_stands_for_another_now():
    earlier = person_in(manifest(("f7", "s:Ada", "old.jpg"), ("f9", "s:Ada", "Bob_1.jpg")), "s:Ada")
    trace = trace_of("s:Ada", person_in(WORLD, "s:Ada"), [earlier], **SECRETS)
    assert "f9" in trace.faces
    assert "f7" not in trace.faces  # Bob's now
    assert ("s", "old.jpg") in trace.photos
    assert ("s", "Bob_1.jpg") not in trace.photos
    assert "digest of Bob_1.jpg" not in trace.photo_hashes


def test_a_trace_survives_being_written_down():
    trace = trace_of("s:Ada", person_in(WORLD, "s:Ada"), [], **SECRETS)
    assert Trace.from_dict(json.loads(json.dumps(trace.to_dict()))) == trace


def test_an_identifier_that_is_part_of_anothers_counts_as_a_word_and_one_that_is_anothers_not_at_all():
    rows = manifest(
        ("face-0001", "s:Bob_Smith", "Bob_Smith_1.jpg"),
        ("face-0002", "s:Bob_Smithers", "Bob_Smithers_1.jpg"),
        ("face-0003", "s:Bob_Smithers", "with Bob_Smith.jpg"),
    )
    person = person_in(rows, "s:Bob_Smith")
    needles = needles_of([trace_of("s:Bob_Smith", person, [], **SECRETS)], [person.kept])
    assert "s:Bob_Smith" in needles.bounded
    assert "Bob_Smith" not in needles.exact | needles.bounded  # a photo of the other is called so
    assert {"face-0001", "Bob_Smith_1.jpg"} <= needles.exact
    search = needles.search()
    assert search.is_in(b"xface-0001x")
    assert search.is_in(b'"s:Bob_Smith"')
    assert not search.is_in(b'"s:Bob_Smithers", "with Bob_Smith.jpg"')


def test_a_name_is_also_looked_for_as_json_may_write_it():
    rows = manifest(("face-0001", "s:Zoë_Müller", "a.jpg"))
    person = person_in(rows, "s:Zoë_Müller")
    search = needles_of([trace_of("s:Zoë_Müller", person, [], **SECRETS)], [person.kept]).search()
    assert search.is_in(json.dumps(["s:Zoë_Müller"]).encode())
    assert search.is_in("s:Zoë_Müller".encode())


def test_photos_that_are_only_numbers_are_not_looked_for():
    person = person_in(manifest(("face-0001", "s:1234", "000123.jpg")), "s:1234")
    texts = trace_of("s:1234", person, [], **SECRETS).texts()
    assert "000123.jpg" not in texts
    assert "1234" not in texts
