"""The ingestion room: sources → manifest, crops, protected attributes, quarantine, sampling weights."""

from kedro.pipeline import Pipeline, node

from pipelines.ingestion.nodes import count_faces, ingest_sources, spoil_delivery, weigh_faces


def create_pipeline() -> Pipeline:
    """Ingest, count, weigh, and make the demonstration's faulty delivery."""
    return Pipeline(
        [
            node(
                ingest_sources,
                ["params:ingestion", "params:incoming_crops", "params:tombstones_file"],
                ["manifest", "crops", "protected_attributes", "quarantine"],
                name="ingest_sources",
            ),
            node(count_faces, ["manifest", "quarantine"], "ingestion_metrics", name="count_faces"),
            node(
                weigh_faces,
                ["manifest", "protected_attributes", "params:ingestion", "params:balance"],
                "sampling_weights",
                name="weigh_faces",
            ),
            node(
                spoil_delivery,
                ["manifest", "protected_attributes", "params:ingestion"],
                "faulty_delivery",
                name="spoil_delivery",
            ),
        ]
    )
