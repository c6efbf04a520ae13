"""From rows to evidence: what came since the last look, and nothing else.

A label counts once its decision is old enough *and* the label is there. With M the last decision that is old enough and
L the last label, both at the last look (0) and at this one (1), what counts anew is

    {decision in (M0, M1], its label <= L1}  and  {decision <= M0, its label in (L0, L1]},

two sets that never overlap: each label counts exactly once, whether it came before its decision was old enough, after,
or in the same moment. Both are ranges of an index, so a look costs as much as is new. ADR 0038 says why no row can
appear behind a cursor later on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from countenance.rollout.batch import EvidenceBatch
from countenance.rollout.connection import reading
from countenance.rollout.decisions.answering import answered_batches
from countenance.rollout.decisions.batching import by_weight, counted, labelled_batch, tail
from countenance.rollout.decisions.cursor import Cursor
from countenance.rollout.decisions.digest import with_arrivals, with_labels
from countenance.rollout.decisions.rows import arrivals, last_place, late, matured, new_labels, new_people
from countenance.rollout.reader import RolloutReader
from countenance.rollout.records import DecisionBatch, RolloutRecord

ROWS_A_LOOK: Final = 5000
"""Of arrivals, of decisions that became old enough, and of labels, each; what is more waits for the next look."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Folded:
    """What one look brings, and where the next one begins.

    ``batches``: one, or more where audit weights differ between arms. ``answered``: who answered how many, and which
    errors of earlier answers became known. ``anything``: whether there was anything new; ``behind``: whether there is
    more than one look takes.
    """

    batches: tuple[EvidenceBatch, ...]
    answered: tuple[DecisionBatch, ...]
    cursor: Cursor
    anything: bool
    behind: bool


def fold(
    reader: RolloutReader, record: RolloutRecord, cursor: Cursor, now: datetime, *, rows: int = ROWS_A_LOOK
) -> Folded:
    """Read what is new since ``cursor``, at most ``rows`` of each kind, in one snapshot. Changes nothing.

    Args:
        reader: the store.
        record: the rollout, with its policy.
        cursor: where the last look ended.
        now: the moment of the look; a decision counts at the age ``policy.label_delay``.
        rows: the most that a look reads of each kind.
    """
    policy, rollout = record.policy, record.id
    assert policy is not None
    with reading(reader._engine) as connection:
        came = arrivals(connection, rollout, cursor.arrived, rows)
        labels, until_label = new_labels(connection, cursor, rows)
        due = matured(connection, rollout, cursor.matured, now - policy.label_delay, until_label, rows)
        overdue = late(connection, rollout, cursor.matured, labels)
        exposed = [row for row in came if row.by_candidate]
        by_site = policy.route_by == "site"
        people = 0 if by_site else new_people(connection, rollout, cursor.arrived, exposed)
    # A label of a request that was not drawn says what its sender wanted to say; it is no evidence.
    labelled = [row for row in (*due, *overdue) if row.mated is not None and row.audited]
    batch = labelled_batch(labelled, policy)
    sites = frozenset(row.site for row in exposed if row.site is not None) - frozenset(cursor.sites) if by_site else ()
    after = replace(
        cursor,
        arrived=last_place(came, cursor.arrived),
        matured=last_place(due, cursor.matured),
        label=until_label,
        exposed_requests=cursor.exposed_requests + len(exposed),
        thinnest=min((cursor.thinnest, *(row.audit_probability for row in came))),
        sites=tuple(sorted({*cursor.sites, *sites})),
        spending=cursor.spending if policy.budget is None else cursor.spending.plus(batch, policy.budget),
        arrivals_digest=with_arrivals(cursor.arrivals_digest, came),
        labels_digest=with_labels(cursor.labels_digest, (*due, *overdue)),
    )
    counts = counted(came, [row for row in due if row.audited], policy)
    watched, above = tail(labelled, policy, after.thinnest)
    whole = replace(counts, tail_watched=watched, tail_above=above)
    return Folded(
        batches=by_weight(whole, batch, policy),
        answered=answered_batches(record.state, came, labelled, new_people=people + len(sites), now=now),
        cursor=after,
        # A whole look of labels that are of other rollouts is worth keeping, too: the next one goes on behind them.
        anything=bool(came or due or overdue) or len(labels) == rows,
        behind=rows in (len(came), len(due), len(labels)),
    )
