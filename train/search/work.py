"""Runs the trials of a shared search that its chief hands out."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc

from train.common.command.progress import Progress
from train.common.errors import ToolkitError
from train.common.files.staging import temporary_folder
from train.config import LOGS_FOLDER, TUNING_FOLDER, FitRequest, TrainConfig
from train.data.fit_data import load_training_data
from train.search import distribute
from train.search.limits.board import with_board
from train.search.limits.search import space_of, teacher_of
from train.search.limits.space.custom_job import custom_data
from train.search.limits.trials import arguments, folder_of
from train.search.limits.tuning import LimitsModel
from train.search.tune import prepare, run_tuner, search_name
from train.search.tuners import ReportTrials, make_tuner


def work(config: TrainConfig, report: Progress) -> None:
    """Runs trials of a shared search until its chief has no more.

    Raises:
        DataError: the data set cannot be had.
        ToolkitError: the chief does another search, or is gone.
    """
    if config.request is None:
        training = load_training_data(config.data)
        name = search_name(config, training.sha256)
        folder, logs = (config.artifacts / each / name for each in (TUNING_FOLDER, LOGS_FOLDER))
        tuner, given = prepare(config, training.fit, report, folder, logs)
    else:
        folder, tuner, given = _within_limits(config, config.request, report)
    try:
        tuner.oracle.get_space()  # waits for the chief
        if not (folder / f"{distribute.CHIEF}.json").is_file():
            raise ToolkitError(
                f"the chief does another search, or in another folder: {folder} is not its; give "
                "both the same options and --artifacts folder"
            )
        run_tuner(tuner, given)
    except grpc.RpcError as error:
        details = error.details() if isinstance(error, grpc.Call) else error
        raise ToolkitError(
            f"the chief of the search is gone ({details}); start it again with --resume, then this"
        ) from error


def _within_limits(
    config: TrainConfig, request: FitRequest, report: Progress
) -> tuple[Path, Any, dict[str, Any]]:
    """Returns the folder of a search for limits, its tuner, and its arguments."""
    request = with_board(request)
    if request.space is None:
        training = load_training_data(config.data)
        data, digest = training.fit, training.sha256
    else:
        with temporary_folder("edge-train-") as own:
            data, digest = custom_data(config, request, own)
    teacher = teacher_of(config, request, data, report, digest, waits=True)
    data = data if teacher is None else replace(data, taught=teacher.logits)
    folder = folder_of(config, request, digest)
    tuner = make_tuner(config, LimitsModel(space_of(config, request, data), config.seed), folder)
    callback = ReportTrials(report, tuner, config.search_epochs)
    return folder, tuner, arguments(config, data, [callback])
