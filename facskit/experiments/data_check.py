"""The data of a run, which belong to what it is: recorded when it begins, compared whenever it goes on or is used.

A run that has learned nothing yet takes whatever faces there are. A finished run of a version of facskit that kept no
record is judged by what its weights say of the people it was trained on; one that broke off can't be judged.
"""

from dataclasses import replace

from facskit.datasets.data_record import DataRecord
from facskit.errors import DatasetError
from facskit.files import write_text
from facskit.models.checkpoints import read_weight_info
from facskit.training.run_directory import RunDirectory

__all__ = ["check_data", "record_data"]

_RECORD = "data.json"


def check_data(run: RunDirectory, now: DataRecord) -> None:
    """Refuse to go on with, or to use, a run that was trained with other data.

    Args:
        now: The data that the recipe of the run names now.

    Raises:
        DatasetError: Rows, labels, crops or somebody's part of the fold are others now, or nobody can tell; the message
            says which and what can be done.
    """
    snapshots = any(run.snapshots.glob("step-*.pt"))
    if not (run.finished or snapshots):
        return
    file = run.path / _RECORD
    if file.is_file():
        differences = now.differences(DataRecord.from_json(file.read_text(encoding="utf-8"), str(file)))
    elif run.finished:
        differences = _differences_of_weights(run, now)
    else:
        raise DatasetError(
            f"{run.path}: found no {_RECORD}, because an earlier version of facskit began this run; whether its data "
            "are still the same can't be told, so name another folder to train anew"
        )
    if differences:
        raise DatasetError(
            f"{run.path}: the run was trained with other data than the recipe's now: {'; '.join(differences)}; name "
            "another folder to train anew, or go back to the data of then"
        )


def record_data(run: RunDirectory, now: DataRecord) -> None:
    """Write down what a run is trained with, unless it is finished; in the main process, after `check_data`."""
    if not run.finished:
        write_text(run.path / _RECORD, now.to_json())


def _differences_of_weights(run: RunDirectory, now: DataRecord) -> list[str]:
    """Compare with the people that a finished run's weights name, where there is no record."""
    named = read_weight_info(run.weights).provenance.get("training_subjects")
    if not isinstance(named, list) or not now.people:
        return []
    # Of the others nothing is known, so they count as what they are now.
    learned = set(named)
    then = {part: [name for name in names if name not in learned] for part, names in now.people.items()}
    return now.differences(replace(now, people={**then, "training": named}))
