"""``countenance rollout search``: the cheapest policy that keeps to given error rates, on logged decisions."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from countenance.commands.arguments import number
from countenance.commands.rollout_simulate import add_log_options, conditions, points, processes, read_log

if TYPE_CHECKING:
    from countenance.rollout.policy import RolloutPolicy
    from countenance.rollout.simulation.searching import Found, Prices, Wanted


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the verb and add its options."""
    parser.description = (
        "Race policies over logged decisions and find the cheapest that keeps to the wanted error rates. Its figures "
        "come from repetitions that the race did not use. The margin of the policy is never changed."
    )
    rate = number(float, least=1e-6, most=0.999)
    price = number(float, least=0)
    parser.add_argument("--policy", type=Path, required=True, metavar="YML", help="to begin from")
    add_log_options(parser)
    parser.add_argument("--worse", type=points, required=True, metavar="RATE", help="harm to be found, e.g. 1pp")
    parser.add_argument("--false-rollback", type=rate, default=0.05, metavar="R", help="at most; default: .05")
    parser.add_argument("--false-promotion", type=rate, default=0.05, metavar="R", help="at most; default: .05")
    parser.add_argument("--promoted", type=number(float, least=0, most=0.999), default=0.8, metavar="R",
                        help="least share of candidates no worse that are promoted; default: .8")  # fmt: skip
    parser.add_argument(
        "--grid",
        type=Path,
        metavar="YML",
        help="lines of 'key: [value, value]'; default: other steps, minima halved and doubled, other alphas",
    )
    parser.add_argument("--price-person", type=price, default=0.01, metavar="MONEY", help="exposed; default: .01")
    parser.add_argument("--price-minute", type=price, default=0.5, metavar="MONEY", help="of an operator; default: .5")
    parser.add_argument("--price-hour", type=price, default=0.0, metavar="MONEY",
                        help="until a candidate that is no worse is promoted; default: 0")  # fmt: skip
    parser.add_argument("--worse-share", type=number(float, least=0, most=1), default=0.5, metavar="R",
                        help="how many candidates of all are worse; default: .5")  # fmt: skip
    parser.add_argument("--first", type=number(int, least=5), default=20, metavar="N",
                        help="repetitions of the race's first round; default: 20")  # fmt: skip
    parser.add_argument("--most", type=number(int, least=5), default=160, metavar="N",
                        help="repetitions of a policy in the race; default: 160")  # fmt: skip
    parser.add_argument("--repetitions", type=number(int, least=10), default=400, metavar="N",
                        help="fresh ones for the policy found; default: 400")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="only tell which policies would race")
    parser.add_argument("--json", action="store_true", help="print the report as JSON in place of tables")
    parser.add_argument("--out", type=Path, metavar="YML", help="write the policy that was found there")


def run(arguments: argparse.Namespace) -> int:
    """Race, write and print."""
    if arguments.log is None:
        arguments.parser.error("give --log, the decisions that rollout export wrote")
    if not arguments.worse:
        arguments.parser.error("--worse must be above 0pp: without harm no promotion is false")
    from countenance.commands.output_paths import check_outputs
    from countenance.commands.rollout_search_text import dry_run_lines, found_lines, policy_text
    from countenance.progress import track
    from countenance.rollout.policy import read_policy
    from countenance.rollout.simulation.arms import WORSE, Arm
    from countenance.rollout.simulation.searching import Effort, Prices, Wanted, search

    check_outputs(arguments.out, None, [arguments.policy, arguments.log, arguments.grid])
    base = read_policy(arguments.policy)
    policies, log = _policies(arguments, base), read_log(arguments)
    wanted = Wanted(
        false_rollback=arguments.false_rollback,
        false_promotion=arguments.false_promotion,
        promoted=arguments.promoted,
    )
    prices = Prices(
        person=arguments.price_person,
        minute=arguments.price_minute,
        hour=arguments.price_hour,
        worse_share=arguments.worse_share,
    )
    effort = Effort(first=arguments.first, most=max(arguments.first, arguments.most), fresh=arguments.repetitions)
    if arguments.dry_run:
        sys.stdout.write("".join(f"{line}\n" for line in dry_run_lines(policies, wanted, effort)))
        return 0
    found = search(
        log,
        policies,
        Arm(name=WORSE, worse=arguments.worse, group=arguments.group),
        wanted,
        prices=prices,
        conditions=conditions(arguments, base),
        effort=effort,
        seed=arguments.seed,
        requests=arguments.requests,
        processes=processes(arguments),
        track=lambda what: lambda numbers: track(numbers, what=what, unit="repetition"),
    )
    lines = found_lines(found, wanted, prices)
    if arguments.out is not None:
        from countenance.commands.output_paths import write_text

        write_text(arguments.out, policy_text(found, wanted))
        lines.append(f"Written: {arguments.out}.")
    text = json.dumps(_report(found, wanted, prices), indent=1, allow_nan=False) if arguments.json else "\n".join(lines)
    sys.stdout.write(f"{text}\n")
    return 0


def _policies(arguments: argparse.Namespace, base: RolloutPolicy) -> dict[str, RolloutPolicy]:
    from countenance.rollout.simulation.grid import default_policies, grid_policies, read_grid

    if arguments.grid is None:
        return default_policies(base)
    return grid_policies(base, read_grid(arguments.grid), where=str(arguments.grid))


def _report(found: Found, wanted: Wanted, prices: Prices) -> dict[str, Any]:
    return {
        "kind": "rollout search",
        "version": 1,
        "name": found.name,
        "policy": found.policy.model_dump(mode="json"),
        "wanted": wanted.model_dump(),
        "prices": prices.model_dump(),
        "price": found.price,
        "shown": found.shown,
        "rollouts": found.rollouts,
        "fresh": [summary.to_dict() for summary in found.summaries],
        "race": [
            {
                "name": runner.name,
                "repetitions": runner.repetitions,
                "false_rollback": runner.false_rollback.to_dict(),
                "false_promotion": runner.false_promotion.to_dict(),
                "promoted": runner.promoted.to_dict(),
                "price": runner.price,
            }
            for runner in found.race
        ],
    }
