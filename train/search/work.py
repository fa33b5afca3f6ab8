"""Runs the trials of a shared search that its chief hands out."""

from dataclasses import replace

import grpc

from train.common.command.progress import Progress
from train.common.errors import ToolkitError
from train.config import LOGS_FOLDER, TUNING_FOLDER, TrainConfig
from train.data.fit_data import load_training_data
from train.search import distribute
from train.search.limits.search import space_of, teacher_of, with_board
from train.search.limits.trials import arguments, folder_of, tuner_of
from train.search.limits.tuning import ReportTrials
from train.search.tune import prepare, run_tuner, search_name


def work(config: TrainConfig, report: Progress) -> None:
    """Runs trials of a shared search until its chief has no more.

    Raises:
        DataError: the data set cannot be had.
        ToolkitError: the chief does another search, or is gone.
    """
    training = load_training_data(config.data)
    request, data = config.request, training.fit
    if request is None:
        name = search_name(config, training.sha256)
        folder, logs = (config.artifacts / each / name for each in (TUNING_FOLDER, LOGS_FOLDER))
        tuner, given = prepare(config, data, report, folder, logs)
    else:
        request = with_board(request)
        teacher = teacher_of(config, request, data, report, training.sha256)
        data = data if teacher is None else replace(data, taught=teacher.logits)
        folder = folder_of(config, request, training.sha256)
        tuner = tuner_of(config, space_of(config, request, data), folder)
        given = arguments(config, data, [ReportTrials(report, tuner)])
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
