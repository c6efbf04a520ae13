"""``countenance rollout simulate``: what policies would do, replayed on logged decisions again and again."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from countenance.commands.arguments import number

if TYPE_CHECKING:
    from countenance.rollout.policy import RolloutPolicy
    from countenance.rollout.simulation.log import DecisionLog
    from countenance.rollout.simulation.outcome import Conditions
    from countenance.rollout.simulation.study import Study

_EPILOG: Final = """\
Begin with an example: countenance rollout simulate --example FOLDER writes a log and two policies to try.
The arm 'null' makes the candidate exactly as good as the champion, 'worse' worse by --worse, 'logged' is the candidate
as it was logged. docs/rollout_simulation.md says what each figure means, and what a simulation cannot show.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the verb and add its options."""
    parser.description = (
        "Replay policies on logged decisions, through the machine that moves real rollouts: how often each rolls back "
        "a candidate that is no worse and promotes one that is, how long that takes, and how many people it exposes."
    )
    parser.epilog, parser.formatter_class = _EPILOG, argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--policy", type=Path, action="append", default=[], metavar="YML", help="to simulate; any number of times"
    )
    add_log_options(parser)
    parser.add_argument(
        "--worse", type=points, metavar="RATE", help="put in so much harm, e.g. 0.5pp (percentage points)"
    )
    parser.add_argument(
        "--arm",
        action="append",
        choices=("logged", "null", "worse"),
        help="simulate this arm alone; any number of times; default: all, 'worse' with --worse",
    )
    parser.add_argument("--repetitions", type=number(int, least=1), default=200, metavar="N", help="default: 200")
    parser.add_argument("--level", type=number(float, least=0.5, most=0.9999), default=0.95, metavar="P",
                        help="of intervals; default: .95")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="only tell what would be simulated; nothing is written")
    parser.add_argument("--json", action="store_true", help="print the report as JSON in place of tables")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="keep repetitions, report and plots there; a second call goes on where the first was stopped",
    )
    parser.add_argument(
        "--example", type=Path, metavar="FOLDER", help="only write an example log and two policies there"
    )


def add_log_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``simulate`` and ``search`` share: the log, the group, and what surrounds a rollout."""
    parser.add_argument("--log", type=Path, metavar="PARQUET", help="decisions that rollout export wrote")
    parser.add_argument("--group", metavar="NAME", help="the harm is in this group alone; default: in all traffic")
    parser.add_argument(
        "--requests", type=number(int, least=1), metavar="N", help="of a repetition; default: as many as logged"
    )
    parser.add_argument("--seed", type=number(int, least=0), default=7, metavar="N", help="default: 7")
    parser.add_argument("--look-every", type=number(int, least=1), default=200, metavar="N",
                        help="requests between looks; default: 200")  # fmt: skip
    parser.add_argument("--signs-after", type=number(float, least=0), default=15.0, metavar="MINUTES",
                        help="how long an operator takes to sign; default: 15")  # fmt: skip
    for kind in ("match", "non-match"):
        parser.add_argument(
            f"--cost-false-{kind}",
            type=number(float, least=0),
            metavar="MONEY",
            help=f"price of a false {kind}; default: that of the first policy's budget, else 1",
        )
    parser.add_argument("--processes", type=number(int, least=1), metavar="N", help="default: one for each processor")


def points(text: str) -> float:
    """Percentage points, such as ``0.5pp``, as a share; ``0`` needs no unit."""
    value, unit = (text[:-2], "pp") if text.endswith("pp") else (text, "")
    try:
        share = float(value) / 100
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' is no rate: give percentage points, such as 0.5pp") from error
    if not unit and share != 0:
        raise argparse.ArgumentTypeError(f"'{text}' has no unit: give percentage points, such as {value}pp")
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} must be at least 0pp and at most 100pp")
    return share


def run(arguments: argparse.Namespace) -> int:
    """Simulate, keep, draw and print."""
    if arguments.example is not None:
        return _example(arguments.example)
    if not arguments.policy or arguments.log is None:
        arguments.parser.error("give --policy and --log, or --example to get some to try")
    if arguments.group is not None and not arguments.worse:
        arguments.parser.error("--group says where the harm of --worse is: give both")
    if arguments.arm and "worse" in arguments.arm and not arguments.worse:
        arguments.parser.error("the arm 'worse' needs --worse: say by how much, such as 0.5pp")
    from countenance.commands.rollout_simulation_text import dry_run_lines, report_lines
    from countenance.progress import track
    from countenance.rollout.simulation.study import run_study

    study = _study(arguments)
    study.check()
    if arguments.dry_run:
        sys.stdout.write("".join(f"{line}\n" for line in dry_run_lines(study, arguments.repetitions)))
        return 0
    kept = run_study(
        study,
        arguments.repetitions,
        folder=arguments.out,
        processes=processes(arguments),
        track=lambda numbers: track(numbers, what="simulating", unit="repetition"),
    )
    summaries = study.summaries(kept, arguments.repetitions, level=arguments.level)
    report = _report(study, arguments, [summary.to_dict() for summary in summaries])
    lines = report_lines(study, summaries, arguments.repetitions, arguments.level)
    if arguments.out is not None:
        from countenance.commands.output_paths import write_text
        from countenance.reporting.plot_files import write_plots
        from countenance.rollout.simulation.drawing import simulation_plots

        write_text(arguments.out / "simulation.json", _json(report))
        outcomes = {
            (summary.policy, summary.arm): kept.of((summary.policy, summary.arm), arguments.repetitions)
            for summary in summaries
        }
        drawn = write_plots(simulation_plots(summaries, outcomes), arguments.out)
        lines += ["", f"Kept in {arguments.out}: repetitions.jsonl, simulation.json and {len(drawn)} plots."]
    sys.stdout.write(_json(report) if arguments.json else "".join(f"{line}\n" for line in lines))
    return 0


def processes(arguments: argparse.Namespace) -> int:
    """How many processes share the work."""
    from countenance.commands.arguments import available_processors

    given: int | None = arguments.processes
    return given or available_processors()


def read_log(arguments: argparse.Namespace) -> DecisionLog:
    """The log that was given."""
    from countenance.rollout.simulation import log

    return log.read_log(arguments.log)


def conditions(arguments: argparse.Namespace, policy: RolloutPolicy) -> Conditions:
    """What surrounds a rollout; prices that aren't given are those of the policy's budget, else 1."""
    from datetime import timedelta

    from countenance.rollout.simulation.outcome import Conditions
    from countenance.rollout.story import ErrorCosts

    budget = policy.budget
    matches, non_matches = arguments.cost_false_match, arguments.cost_false_non_match
    return Conditions(
        look_every=arguments.look_every,
        answers_after=timedelta(minutes=arguments.signs_after),
        costs=ErrorCosts(
            false_match=(1.0 if budget is None else budget.cost_false_match) if matches is None else matches,
            false_non_match=(1.0 if budget is None else budget.cost_false_non_match)
            if non_matches is None
            else non_matches,
        ),
    )


def _study(arguments: argparse.Namespace) -> Study:
    from countenance.errors import RolloutError
    from countenance.rollout.policy import read_policy
    from countenance.rollout.simulation.arms import LEVEL, LOGGED, WORSE, Arm
    from countenance.rollout.simulation.study import Study

    policies: dict[str, RolloutPolicy] = {}
    for path in arguments.policy:
        if path.stem in policies:
            raise RolloutError(f"Two policies are named '{path.stem}': rename one of the files.")
        policies[path.stem] = read_policy(path)
    arms = [Arm(name=LOGGED), Arm(name=LEVEL)]
    if arguments.worse:
        arms.append(Arm(name=WORSE, worse=arguments.worse, group=arguments.group))
    return Study(
        log=read_log(arguments),
        policies=policies,
        arms=tuple(arm for arm in arms if arguments.arm is None or arm.name in arguments.arm),
        conditions=conditions(arguments, next(iter(policies.values()))),
        seed=arguments.seed,
        requests=arguments.requests,
    )


def _report(study: Study, arguments: argparse.Namespace, summaries: list[dict[str, Any]]) -> dict[str, Any]:
    candidate, champion = study.log.error_rates()
    return {
        "kind": "rollout simulation",
        "version": 1,
        "candidate": study.log.candidate,
        "champion": study.log.champion,
        "decisions": len(study.log),
        "people": len(study.log.keys),
        "hours": study.log.hours,
        "logged_error_rates": {"candidate": candidate, "champion": champion},
        "repetitions": arguments.repetitions,
        "level": arguments.level,
        "summaries": summaries,
        "settings": study.about(),
    }


def _example(folder: Path) -> int:
    from countenance.rollout.simulation.example import write_example

    log, *policies = write_example(folder)
    given = " ".join(f"--policy {path}" for path in policies)
    sys.stdout.write(
        f"Written: {log} and {', '.join(str(path) for path in policies)}.\n"
        f"Try: countenance rollout simulate {given} --log {log} --worse 1.5pp --out {folder / 'simulated'}\n"
    )
    return 0


def _json(report: dict[str, Any]) -> str:
    return json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
