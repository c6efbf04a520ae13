"""Manifests for KServe: the routing snapshot as the traffic split of an InferenceService (v1beta1, checked at 0.21).

KServe splits by chance and in whole percent. A share is rounded down, so that it never exceeds the policy's, and one
that would become none is refused. Epoch and head lie in a ConfigMap beside the service, not in its annotations: KServe
copies those onto every revision, so that each move would restart the models.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import Field

from countenance.configuration import Configuration
from countenance.errors import RolloutError
from countenance.rollout.planes.file import as_text
from countenance.rollout.planes.snapshot import RoutingSnapshot

Manifest = dict[str, Any]

EPOCH_ANNOTATION: Final = "countenance.dev/rollout-epoch"
HEAD_ANNOTATION: Final = "countenance.dev/rollout-head"
SNAPSHOT_KEY: Final = "routing.json"

# Short enough that the names of Services, which KServe puts together from it, keep to 63 characters.
_Label = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=30)]


class InferenceServing(Configuration):
    """How releases are served on a cluster.

    Args:
        name, namespace: of the InferenceService; lower case letters, digits and hyphens.
        storage: by release, the URI of its release unit (``s3://...``, ``pvc://...``).
        model_format, protocol: what the serving runtime is told.
        runtime: the name of a ServingRuntime; None lets KServe choose.
        minimum_replicas: of champion and candidate each; 1 or more keeps the champion warm for a rollback.
    """

    name: _Label
    namespace: _Label = "default"
    storage: Mapping[str, str]
    model_format: str = "onnx"
    protocol: str = "v2"
    runtime: str | None = None
    minimum_replicas: int = Field(default=1, ge=0)


def whole_percent(share: float) -> int:
    """``share`` (0 to 1) as whole percent, rounded down.

    Raises:
        RolloutError: when people should be exposed and rounding down would leave none.
    """
    percent = int(Decimal(repr(share)) * 100)
    if share > 0 and percent == 0:
        raise RolloutError(
            f"KServe knows whole percent only, and a share of {100 * share:g} % would become none: begin the policy's "
            "steps at 0.01 or more, or route by another plane."
        )
    return percent


def weighted(snapshot: RoutingSnapshot, serving: InferenceServing) -> list[Manifest]:
    """The explicit form: the champion is the predictor, the candidate an entry of ``spec.canary`` with its percent.

    Each predictor is named after its release, so that promotion and rollback only change the split: the winner's
    Deployment is neither replaced nor restarted. A candidate in the shadow is deployed with 0 %.

    Args:
        snapshot: who answers whom.
        serving: how releases are served.

    Returns:
        A ConfigMap with the snapshot, and the InferenceService.

    Raises:
        RolloutError: when a release has no storage or the share cannot be told in whole percent.
    """
    spec: Manifest = {"predictor": _predictor(snapshot.champion, serving, named=True)}
    if snapshot.candidate is not None:
        spec["canary"] = [
            {
                "predictor": _predictor(snapshot.candidate, serving, named=True),
                "trafficPercent": whole_percent(snapshot.share),
            }
        ]
    return [_config_map(snapshot, serving), _service(serving, spec, mode="Standard")]


def serverless(snapshot: RoutingSnapshot, serving: InferenceServing, *, stable: str, latest: str) -> list[Manifest]:
    """The form with Knative's revisions: ``canaryTrafficPercent`` of the newest one, the rest for the last stable one.

    KServe remembers which revision had all traffic last, so what a manifest does depends on what was applied before:

    - a candidate gets its percent, and the champion, which must be ``stable``, the rest;
    - after an abort the candidate stays the newest revision at 0 %, which takes effect at once;
    - after a promotion the percent goes, and the newest revision has all;
    - to return to an earlier champion, its revision is made at 0 % first where another candidate is in between; apply
      the manifest again with ``latest`` naming it once it is ready.

    Args:
        snapshot: who answers whom.
        serving: how releases are served.
        stable: the release of the revision that had all traffic last.
        latest: the release that the service's spec names now.

    Returns:
        A ConfigMap with the snapshot, and the InferenceService.

    Raises:
        RolloutError: when the candidate is to be compared with a champion that has not got all traffic yet, a release
            has no storage, or the share cannot be told in whole percent.
    """
    release, percent = _newest_revision(snapshot, stable=stable, latest=latest)
    predictor = _predictor(release, serving, named=False)
    if percent is not None:
        predictor["canaryTrafficPercent"] = percent
    return [_config_map(snapshot, serving), _service(serving, {"predictor": predictor}, mode="Serverless")]


def as_yaml(manifests: Sequence[Manifest]) -> str:
    """Manifests as one YAML stream for ``kubectl apply -f -``."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes texts of several lines as blocks, so that a person can read the snapshot."""

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    Dumper.add_representer(str, represent)
    return yaml.dump_all(manifests, Dumper=Dumper, sort_keys=False, allow_unicode=True, explicit_start=True)


def rounding_note(snapshot: RoutingSnapshot) -> str | None:
    """A sentence where rounding down took something of the share; None where it is a whole percent."""
    percent = whole_percent(snapshot.share)
    if Decimal(repr(snapshot.share)) * 100 == percent:
        return None
    return f"The share of {100 * snapshot.share:g} % is told to KServe as {percent} %: it knows whole percent only."


def _newest_revision(snapshot: RoutingSnapshot, *, stable: str, latest: str) -> tuple[str, int | None]:
    """The release that the spec must name, and its percent (None: all)."""
    if snapshot.candidate is not None:
        if stable != snapshot.champion:
            raise RolloutError(
                f"'{snapshot.candidate}' cannot be a canary beside '{stable}': roll the champion "
                f"'{snapshot.champion}' out to 100 % first."
            )
        return snapshot.candidate, whole_percent(snapshot.share)
    if stable == snapshot.champion:
        return (stable, None) if latest == stable else (latest, 0)
    return (snapshot.champion, None) if latest in (snapshot.champion, stable) else (snapshot.champion, 0)


def _predictor(release: str, serving: InferenceServing, *, named: bool) -> Manifest:
    uri = serving.storage.get(release)
    if uri is None:
        raise RolloutError(f"The manifest has no storage URI for release '{release}': give one for each release.")
    model: Manifest = {"modelFormat": {"name": serving.model_format}, "protocolVersion": serving.protocol}
    if serving.runtime is not None:
        model["runtime"] = serving.runtime
    model["storageUri"] = uri
    predictor: Manifest = {"name": _named_after(release)} if named else {}
    return predictor | {"minReplicas": serving.minimum_replicas, "model": model}


def _named_after(release: str) -> str:
    """A release's name as Kubernetes allows it: two releases never get one name."""
    plain = re.sub(r"[^a-z0-9]+", "-", release.lower()).strip("-")
    return f"r-{plain[:9].strip('-')}-{hashlib.sha256(release.encode()).hexdigest()[:8]}"


def _service(serving: InferenceServing, spec: Manifest, *, mode: str) -> Manifest:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": serving.name,
            "namespace": serving.namespace,
            "annotations": {"serving.kserve.io/deploymentMode": mode},
        },
        "spec": spec,
    }


def _config_map(snapshot: RoutingSnapshot, serving: InferenceServing) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"{serving.name}-rollout",
            "namespace": serving.namespace,
            "annotations": {EPOCH_ANNOTATION: str(snapshot.epoch), HEAD_ANNOTATION: snapshot.head},
        },
        "data": {SNAPSHOT_KEY: as_text(snapshot)},
    }
