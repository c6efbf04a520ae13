"""``countenance evaluate compare``: reports of several models and published figures on one page."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from countenance.commands.output_paths import check_outputs, write_text

if TYPE_CHECKING:
    from countenance.reporting.comparison_reports import GivenReport


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the subject and add its options."""
    parser.description = (
        "Put the reports that `countenance evaluate ijb` and `... pairs` wrote of several models into one table, "
        "beside published figures on the same protocol, and draw DET, ROC and CMC curves of all of them. A model may "
        "have several reports, of different protocols; models that were measured on different protocols, or by "
        "different rules, are refused."
    )
    parser.add_argument(
        "reports",
        nargs="+",
        metavar="ROLE=REPORT.json",
        help="whose report it is: candidate, champion, teacher, or any other word, such as v2=v2_ijbc.json",
    )
    parser.add_argument("--out", type=Path, metavar="PAGE.html", help="write the page with the plots there")
    parser.add_argument(
        "--benchmark",
        metavar="NAME",
        help="show what was published on it, such as IJB-C, where the protocol's own name doesn't tell",
    )
    parser.add_argument("--title", default="Models compared", help="of the page; default: Models compared")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the tables")


def run(arguments: argparse.Namespace) -> int:
    """Compare, print the tables and write the page."""
    given = [_named(word, arguments.parser) for word in arguments.reports]
    check_outputs(arguments.out, None, [path for _, path in given])
    from countenance.reporting.comparison_page import compare, render_comparison
    from countenance.reporting.comparison_text import comparison_json, comparison_text

    comparison = compare([_read(label, path) for label, path in given], benchmark=arguments.benchmark)
    if arguments.out is not None:
        page = render_comparison(comparison, title=arguments.title)
        write_text(arguments.out, page)
    tables = [table for _, _, table in comparison.protocols]
    if arguments.json:
        sys.stdout.write(f"{json.dumps([comparison_json(table) for table in tables], indent=2)}\n")
    else:
        sys.stdout.write("\n".join(comparison_text(table) for table in tables))
    return 0


def _named(word: str, parser: argparse.ArgumentParser) -> tuple[str, Path]:
    label, separator, path = word.partition("=")
    if not separator or not label or not path:
        parser.error(f"'{word}' doesn't say whose report it is: write ROLE=REPORT.json, such as candidate={word}")
    return label, Path(path)


def _read(label: str, path: Path) -> GivenReport:
    from countenance.errors import DataError
    from countenance.reporting.comparison_reports import GivenReport

    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"There is no report at {path}: write it with `countenance evaluate ... --out`.") from error
    except (ValueError, OSError) as error:
        raise DataError(f"{path} can't be read as JSON: give a report that `countenance evaluate` wrote.") from error
    if not isinstance(values, dict):
        raise DataError(f"{path} is no report: give what `countenance evaluate ... --out` wrote.")
    return GivenReport(label=label, source=str(path), values=values)
