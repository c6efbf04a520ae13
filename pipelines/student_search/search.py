"""The search itself: Optuna proposes students, each a trial in its SQLite study and a nested run in MLflow.

A search that was killed goes on when it is started again: finished trials are in the study, and the one that was under
way is tried anew. What the sampler proposes follows from the seed and the trials before it alone, so an interrupted
search finds what an uninterrupted one finds. Only one search may work on a study at a time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import mlflow
import optuna
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState

from countenance.errors import TrainingError
from countenance.learning.student_search import cost_of_student, proposed_network, searched_values
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.progress import track
from pipelines.student_search.materials import SearchMaterials

TRAINED: Final = "trained"
STOPPED: Final = "given up"
FAILED: Final = "failed"
OVER_BUDGET: Final = "over budget"
REPEATED: Final = "repeated"
OUTCOMES: Final = (TRAINED, STOPPED, FAILED, OVER_BUDGET, REPEATED)
"""What can become of a proposal; the first three cost a training."""

MEDIAN_OF: Final = 4
"""So many students are trained to the end before one may be given up for being below their median."""


def run_search(materials: SearchMaterials, folder: Path) -> optuna.Study:
    """Propose and try students until the configured number of them was trained, or of proposals made."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=f"sqlite:///{folder / 'study.db'}",
        study_name=materials.digest(),
        direction="maximize",
        pruner=MedianPruner(n_startup_trials=0),
        load_if_exists=True,
    )
    take_up_interrupted(study)
    left = range(materials.configuration.trials - _trained(study))
    for _ in track(left, what="student search", total=len(left), unit="student"):
        while not _settle_next(study, materials):
            if len(finished(study)) >= materials.configuration.proposals:
                return study
    return study


def take_up_interrupted(study: optuna.Study) -> None:
    """Put the trials that a killed search left behind to be tried first."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        if trial.params:
            study.enqueue_trial(trial.params)


def finished(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that have an outcome, in their order."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def _trained(study: optuna.Study) -> int:
    return sum(trial.user_attrs["outcome"] in (TRAINED, STOPPED, FAILED) for trial in finished(study))


def _settle_next(study: optuna.Study, materials: SearchMaterials) -> bool:
    """Try the next proposal; whether it cost a training."""
    if len(finished(study)) >= materials.configuration.proposals:
        return False
    study.sampler = TPESampler(seed=materials.configuration.seed + len(finished(study)))
    trial = study.ask()
    network = proposed_network(trial, materials.configuration.space, materials.distillation.network)
    chosen = searched_values(network)
    trial.set_user_attr("network", chosen)
    same = next((earlier for earlier in finished(study) if earlier.user_attrs["network"] == chosen), None)
    if same is not None:
        _repeat(study, trial, same)
        return False
    room = mlflow.active_run()
    # A nested run would else go where MLflow's settings say, be that where the room's run is or not.
    experiment = None if room is None else room.info.experiment_id
    with mlflow.start_run(run_name=f"student {trial.number}", experiment_id=experiment, nested=True):
        mlflow.log_params(chosen)
        outcome = _try(study, trial, network, materials)
        mlflow.set_tag("outcome", outcome)
    return outcome != OVER_BUDGET


def _try(study: optuna.Study, trial: optuna.Trial, network: NetworkConfiguration, materials: SearchMaterials) -> str:
    cost = cost_of_student(network, materials.configuration)
    trial.set_user_attr("cost", cost._asdict())
    mlflow.log_metrics({name: float(amount) for name, amount in cost._asdict().items() if amount is not None})
    excess = cost.excess(materials.configuration.budget)
    for name, share in excess.items():
        trial.set_constraint(name, share)
    if any(share > 0 for share in excess.values()):
        return _told(study, trial, OVER_BUDGET)
    try:
        value = _trained_score(study, trial, network, materials)
    except optuna.TrialPruned:
        return _told(study, trial, STOPPED)
    except TrainingError as error:
        trial.set_user_attr("reason", str(error))
        mlflow.set_tag("reason", str(error))
        return _told(study, trial, FAILED)
    return _told(study, trial, TRAINED, value)


def _trained_score(
    study: optuna.Study, trial: optuna.Trial, network: NetworkConfiguration, materials: SearchMaterials
) -> float:
    # Counted here: the pruner would count repeated students, too.
    may_be_given_up = [earlier.user_attrs["outcome"] for earlier in finished(study)].count(TRAINED) >= MEDIAN_OF

    def look(step: int, seen: AllInOneNetwork) -> None:
        score = materials.score(seen)
        trial.report(score, step)
        mlflow.log_metric("validation_tar", score, step=step)
        if may_be_given_up and trial.should_prune():
            raise optuna.TrialPruned

    trained, record = materials.train(network, look)
    measured = materials.measure(trained)
    assert measured.value is not None  # what can't be measured was refused
    trial.set_user_attr("score", measured.to_dict())
    trial.set_user_attr("minutes", record.seconds / 60)
    mlflow.log_metric("validation_tar", measured.value, step=materials.configuration.steps)
    mlflow.log_metric("minutes", record.seconds / 60)
    return measured.value


def _repeat(study: optuna.Study, trial: optuna.Trial, same: FrozenTrial) -> None:
    """The same student again: it would do as it did, so that is told to the sampler without another training."""
    trial.set_user_attr("repeats", same.number)
    for name, share in same.constraints.items():
        trial.set_constraint(name, share)
    if same.state == TrialState.PRUNED:  # the sampler ranks these by their looks; to the median it would count twice
        for step, score in same.intermediate_values.items():
            trial.report(score, step)
    _told(study, trial, REPEATED, same.value)


def _told(study: optuna.Study, trial: optuna.Trial, outcome: str, value: float | None = None) -> str:
    trial.set_user_attr("outcome", outcome)
    study.tell(trial, value, state=TrialState.PRUNED if value is None else TrialState.COMPLETE)
    return outcome
