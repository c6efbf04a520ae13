"""``countenance rollout manifest``: the routing as a plane outside of this process takes it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from countenance.commands.arguments import number
from countenance.commands.rollout_opening import add_store_options, opened

if TYPE_CHECKING:
    from countenance.rollout.planes.snapshot import RoutingSnapshot


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the verb and add its options."""
    parser.description = (
        "Read who answers whom from the rollout store and write it for a plane: manifests of KServe (YAML, for "
        "`kubectl apply -f -`), or a snapshot file for a gateway that cannot reach the database. The store decides; "
        "this only tells. Run it after every step of the controller."
    )
    add_store_options(parser)
    parser.add_argument("--plane", choices=("kserve", "file"), required=True, help="what the routing is written for")
    parser.add_argument(
        "--threshold",
        action="append",
        default=[],
        metavar="RELEASE=SCORE",
        help="the score above which a release accepts; default: as it came into the store with the release",
    )
    parser.add_argument(
        "--ttl",
        type=number(float, least=1),
        default=300.0,
        metavar="SECONDS",
        help="how long a plane trusts the snapshot without news; default: 300",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write there, aside and then renamed; default: print")
    _add_kserve(parser.add_argument_group("for KServe"))


def run(arguments: argparse.Namespace) -> int:
    """Write the manifest."""
    from countenance.commands.output_paths import write_text
    from countenance.rollout.planes.file import SnapshotFile, as_text

    snapshot = _snapshot(arguments)
    if arguments.plane == "file" and arguments.out is not None:
        SnapshotFile(arguments.out).write(snapshot)
        return 0
    text = as_text(snapshot) if arguments.plane == "file" else _kserve(snapshot, arguments)
    if arguments.out is None:
        sys.stdout.write(text)
    else:
        write_text(arguments.out, text)
    return 0


def _add_kserve(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--name", metavar="NAME", help="of the InferenceService")
    group.add_argument("--namespace", default="default", metavar="NAME", help="default: default")
    group.add_argument(
        "--storage", action="append", default=[], metavar="RELEASE=URI", help="where a release unit lies; once for each"
    )
    group.add_argument("--runtime", metavar="NAME", help="a ServingRuntime; default: KServe chooses one")
    group.add_argument(
        "--form",
        choices=("weighted", "serverless"),
        default="weighted",
        help="weighted: spec.canary names both releases and the percent (KServe 0.21 and later); serverless: "
        "canaryTrafficPercent on Knative's revisions, which also needs --stable and --latest; default: weighted",
    )
    group.add_argument("--stable", metavar="RELEASE", help="serverless: whose revision had all traffic last")
    group.add_argument("--latest", metavar="RELEASE", help="serverless: whom the service's spec names now")


def _snapshot(arguments: argparse.Namespace) -> RoutingSnapshot:
    from countenance.rollout.planes.source import recorded_thresholds, snapshot_of

    pairs = _pairs(arguments.threshold, "--threshold")
    given = {release: _score(release, text) for release, text in pairs.items()}
    with opened(arguments) as found:
        recorded = recorded_thresholds(found.store)

        def threshold(release: str) -> float:
            return given[release] if release in given else recorded(release)

        return snapshot_of(found.store.standing(), threshold, ttl=timedelta(seconds=arguments.ttl))


def _kserve(snapshot: RoutingSnapshot, arguments: argparse.Namespace) -> str:
    from countenance.configuration import narrow
    from countenance.errors import RolloutError
    from countenance.rollout.planes.kserve import InferenceServing, as_yaml, rounding_note, serverless, weighted

    if arguments.name is None:
        raise RolloutError("A manifest for KServe needs the InferenceService's name: give --name.")
    told = {
        "name": arguments.name,
        "namespace": arguments.namespace,
        "storage": _pairs(arguments.storage, "--storage"),
        "runtime": arguments.runtime,
    }
    serving = narrow(InferenceServing, told, where="the command line")
    if arguments.form == "weighted":
        manifests = weighted(snapshot, serving)
    elif arguments.stable is None or arguments.latest is None:
        raise RolloutError(
            "What a serverless manifest does depends on what was applied before: give --stable and --latest."
        )
    else:
        manifests = serverless(snapshot, serving, stable=arguments.stable, latest=arguments.latest)
    note = rounding_note(snapshot)
    if note is not None:
        sys.stderr.write(f"{note}\n")
    return json.dumps(manifests, indent=1) + "\n" if arguments.json else as_yaml(manifests)


def _pairs(texts: list[str], option: str) -> Mapping[str, str]:
    """``RELEASE=VALUE`` by release."""
    from countenance.errors import RolloutError

    found: dict[str, str] = {}
    for text in texts:
        release, equals, value = text.partition("=")
        if not equals or not release or not value or release in found:
            raise RolloutError(f"{option} {text} is not RELEASE=VALUE, or names a release twice: give one for each.")
        found[release] = value
    return found


def _score(release: str, text: str) -> float:
    import math

    from countenance.errors import RolloutError

    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RolloutError(f"The threshold '{text}' of '{release}' is no number: take it from its release.json.")
    return value
