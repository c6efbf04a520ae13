"""The stores: where people may be under a data root, and what holds nobody.

Whoever adds a data set to the catalog adds it here: a test compares the two. The erasure's last scan looks at every
file all the same, so that what was forgotten here is found there.
"""

from __future__ import annotations

from typing import Final

from countenance.erasure.databases import Database
from countenance.erasure.documents import Documents, Pages, Rosters
from countenance.erasure.folders import Nobody, Photographs, Sessions, TeacherCaches
from countenance.erasure.protocols import Protocols, StoredEmbeddings
from countenance.erasure.store import Store
from countenance.erasure.tables import FoundFaces, Mentioning, Quarantined, Rows

MANIFEST: Final = "03_primary/manifest.parquet"
ROSTERS: Final = "09_registry/erasures/rosters"
PICTURED: Final = "07_model_output/pictured_faces.json"
PAGE: Final = "08_reporting/index.html"

_VIEWS: Final = ("aligned", "box", "scene")
_NUMBERS: Final = "numbers over many people"
_COMPARISONS: Final = ("ablation", "method_comparison", "mitigation", "student_search")

# Arrays that need the crops' order are found before the crops are rewritten and rewritten after them.
STORES: Final[tuple[Store, ...]] = (
    # what was delivered
    Photographs(name="delivered photos", patterns=("01_raw/**/*",)),
    # ingestion
    Rows(
        name="incoming_crops",
        patterns=("02_intermediate/incoming_crops/crops-*.arrow",),
        keys={"crop": "face", "owner": "subject"},
        crop_views=_VIEWS,
    ),
    Rows(
        name="crops",
        patterns=("03_primary/crops/crops-*.arrow",),
        keys={"crop": "face", "owner": "subject"},
        crop_views=_VIEWS,
    ),
    Rows(name="manifest", patterns=(MANIFEST,), keys={"face_id": "face", "subject_id": "subject"}),
    Quarantined(name="quarantine", patterns=("03_primary/quarantine.parquet",), keys={}),
    Rows(
        name="protected_attributes", patterns=("03_primary/protected_attributes.parquet",), keys={"subject_key": "key"}
    ),
    Rows(
        name="faulty_delivery",
        patterns=("03_primary/faulty_delivery.parquet",),
        keys={"face_id": "face", "subject_id": "subject"},
    ),
    Rows(name="sampling_weights", patterns=("05_model_input/sampling_weights.parquet",), keys={"face_id": "face"}),
    # validation
    Mentioning(
        name="face_facts",
        patterns=("04_feature/face_facts.parquet",),
        keys={"face_id": "face"},
        mentions=("near_copy_in_other_split", "near_copy_under_other_name", "other_name"),
    ),
    Documents(name="validation_report", patterns=("08_reporting/validation_report.json",)),
    # training and distillation
    Rows(
        name="recognition_features", patterns=("05_model_input/recognition_features.arrow",), keys={"face_id": "face"}
    ),
    Rows(name="teacher_features", patterns=("05_model_input/teacher_features.arrow",), keys={"face_id": "face"}),
    Rows(name="soft_targets", patterns=("05_model_input/soft_targets.parquet",), keys={"face_id": "face"}),
    TeacherCaches(name="teacher_cache", patterns=("05_model_input/teacher_cache",)),
    Sessions(
        name="kept sessions",
        patterns=("06_models/*.session", *(f"07_model_output/{each}/**/session" for each in _COMPARISONS)),
    ),
    # evaluation, bias, rollout
    Rows(name="outputs", patterns=("07_model_output/*_outputs.parquet",), keys={"face_id": "face"}),
    FoundFaces(
        name="all_in_one_found",
        patterns=("07_model_output/all_in_one_found.parquet",),
        keys={"photo_sha256": "photo_hash"},
    ),
    Rows(name="held_out_groups", patterns=("07_model_output/held_out_groups.parquet",), keys={"face_id": "face"}),
    Rows(name="replayed_traffic", patterns=("07_model_output/replayed_traffic.parquet",), keys={"routing_key": "key"}),
    *(
        Rows(
            name=f"outputs of {each}",
            patterns=(f"07_model_output/{each}/**/*.parquet",),
            keys={"face_id": "face", "subject_id": "subject"},
        )
        for each in _COMPARISONS
    ),
    # reporting: the page before the list that says whom it shows
    Pages(name="report_page", patterns=(PAGE,), shows=PICTURED),
    Documents(name="pictured_faces", patterns=(PICTURED,)),
    # made by evaluation, and by commands, wherever they were put
    Protocols(
        name="template protocols", patterns=("07_model_output/template_protocol/protocol.json", "**/protocol.json")
    ),
    StoredEmbeddings(name="embeddings", patterns=("07_model_output/template_embeddings/*.npy", "**/*.npy")),
    # the registry; a gallery that comes to lie here names its columns. Single decisions are counted as evidence: they
    # stay, and stand for nobody once their routing key is gone.
    Database(
        name="rollout store",
        patterns=("09_registry/rollout.db",),
        people={"decision": ("routing_key",)},
        kept=frozenset({"decision"}),
    ),
    Rosters(name="rosters", patterns=(f"{ROSTERS}/*.json",)),
    # nobody
    Nobody(name="kept versions", patterns=("04_feature/data_versions/*",), why="figures of some faces, without ids"),
    Nobody(name="validation_seal", patterns=("05_model_input/validation_seal.json",), why="a verdict and counts"),
    Nobody(
        name="networks",
        patterns=("06_models/*.safetensors", "06_models/exported/*"),
        why="weights; the receipt lists which of them saw the person",
    ),
    Nobody(name="releases", patterns=("06_models/releases.json", "06_models/releases/*/*"), why=_NUMBERS),
    Nobody(name="curves", patterns=("08_reporting/*_curves.csv", "08_reporting/tar_table.csv"), why=_NUMBERS),
    Nobody(name="metrics", patterns=("08_reporting/*_metrics.json",), why=_NUMBERS),
    Nobody(
        name="reports",
        patterns=tuple(
            f"08_reporting/{name}"
            for name in (
                "evaluation_report.json",
                "template_report.json",
                "bias_report.json",
                "distillation_by_group.json",
                "group_curves.json",
                "mitigation_report.json",
                "protected_groups_report.json",
                "dataset_sheet.md",
                "release_hashes.json",
                "gate_report.json",
                "registration_record.json",
                "rollout_report.json",
                "alias_projection.json",
                "monitoring.html",
                "kpi_sheet.json",
                "ablation_report.json",
                "method_comparison_report.json",
                "method_comparison_groups.json",
                "student_search_report.json",
                "student_search_best.yml",
            )
        ),
        why=_NUMBERS,
    ),
    Nobody(
        name="runs",
        patterns=tuple(f"07_model_output/{each}/*.json" for each in _COMPARISONS),
        why="what was trained and how",
    ),
    Nobody(name="registry", patterns=("09_registry/mlflow.db", "09_registry/artifacts"), why="models and reports"),
)
"""In the order in which they are rewritten."""
