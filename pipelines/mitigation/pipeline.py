"""The mitigation room: a group made rare → a student as faces come and one balanced → before and after in one table."""

from kedro.pipeline import Pipeline, node

from pipelines.mitigation.nodes import assess_mitigation, make_group_rare, train_for_mitigation


def create_pipeline() -> Pipeline:
    """Thin out a group and weigh the rest, train what isn't there yet, then measure by group; run by a person."""
    mitigation, folder = "params:mitigation", "params:mitigation_folder"
    return Pipeline(
        [
            node(
                make_group_rare,
                ["manifest", "protected_attributes", "params:ingestion", mitigation],
                ["rare_delivery", "rare_sampling_weights", "rare_group_people"],
                name="make_group_rare",
            ),
            node(
                train_for_mitigation,
                {
                    "manifest": "rare_delivery",
                    "weights": "rare_sampling_weights",
                    "crops": "crops",
                    "seal": "validation_seal",
                    "distillation": "params:distillation",
                    "mitigation": mitigation,
                    "consent": "params:consent",
                    "folder": folder,
                },
                "mitigation_runs",
                name="train_for_mitigation",
            ),
            node(
                assess_mitigation,
                {
                    "manifest": "manifest",
                    "runs": "mitigation_runs",
                    "groups": "held_out_groups",
                    "people": "rare_group_people",
                    "mitigation": mitigation,
                    "evaluation": "params:evaluation",
                    "bias": "params:bias",
                    "registration": "params:registration",
                    "folder": folder,
                },
                ["mitigation_report", "mitigation_metrics"],
                name="assess_mitigation",
            ),
        ]
    )
