from pathlib import Path

import numpy as np
import pandas as pd

from countenance.analysis.configuration import AnalyzerConfiguration
from countenance.analysis.held_out_photos import PhotoSearchConfiguration, chosen_scenes, search_held_out_photos
from countenance.data.crop_store import Crop, CropStore, write_crop_store
from countenance.data.photographs import encode_photo
from tests.analysis.oracle import OracleModel, scene

FACE = (60.0, 40.0, 46.0, 60.0)
ROWS = [  # photo, split, with a scene
    ("one", "test", True), ("two", "validation", True), ("three", "train", True), ("four", "test", False),
]  # fmt: skip


def world(folder: Path) -> tuple[pd.DataFrame, CropStore]:
    """Photos of twice the size of their stored scenes; one face each, but for the second, which is empty."""
    with write_crop_store(folder, files=1) as store:
        for photo, _, stored in ROWS:
            picture = scene(160, 200, [] if photo == "two" else [FACE])
            store.add(
                Crop(crop=photo, owner=photo, aligned=None, box=None, scene=encode_photo(picture) if stored else None)
            )
    rows = [
        {
            "source": "made",
            "photo_sha256": photo,
            "crop": photo,
            "split": split,
            "scene_scale": 0.5 if stored else np.nan,
        }
        for photo, split, stored in ROWS
    ]
    return pd.DataFrame(rows).assign(source="made"), CropStore(folder)


def test_held_out_photos_are_searched_and_what_is_found_lies_in_the_photos_own_pixels(tmp_path):
    manifest, crops = world(tmp_path / "crops")
    configuration = PhotoSearchConfiguration(analyzer=AnalyzerConfiguration(smallest_face_px=24))
    found = search_held_out_photos(OracleModel(), manifest, crops, configuration)
    assert found["photo_sha256"].tolist() == ["one", "two"]
    box = found["box_xywh"][0]
    np.testing.assert_allclose(box, 2 * np.array(FACE), atol=8)
    assert found["landmarks_5"][0].shape == (10,)
    assert found["landmarks_5"][0][0] > 2 * FACE[0]
    assert found.loc[1, "box_xywh"] is None or found["box_xywh"].isna()[1]


def test_so_many_photos_of_each_source_and_split_are_taken_and_always_the_same(tmp_path):
    manifest, _ = world(tmp_path / "crops")
    many = pd.concat([manifest.assign(photo_sha256=[f"{row}{copy}" for row in range(4)]) for copy in range(5)])
    chosen = chosen_scenes(many, 2)
    assert chosen.groupby("split").size().to_dict() == {"test": 2, "validation": 2}
    assert chosen["photo_sha256"].tolist() == chosen_scenes(many.iloc[::-1], 2)["photo_sha256"].tolist()
