"""Data → search → fit → one evaluation on the test images → artifacts."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np

from train.common.command.progress import Progress
from train.common.errors import DataError
from train.common.files.artifact import array_sha256, file_sha256, write_json
from train.common.files.staging import check_places, publish, staging
from train.common.record import MODEL_FILE, RECORD_FILE
from train.common.reference_outputs import OUTPUTS_FILE, ReferenceOutputs, save_outputs
from train.config import TrainConfig
from train.data import fashion_mnist as dataset
from train.data.fit_data import TrainingData, load_training_data
from train.fit.crossvalidate import cross_validate
from train.fit.final import fit_final
from train.fit.model import accuracy_of, outputs_of
from train.recipes.recipe import Hyperparameters
from train.result import TrainResult
from train.search.limits.search import Answer, find
from train.search.tune import Search, search

FILES = (OUTPUTS_FILE, MODEL_FILE, RECORD_FILE)
PLOTS_FOLDER = "plots"


@dataclass(frozen=True, kw_only=True)
class _Evaluation:
    """The test images and the model's outputs on them, and both accuracies, 0…1."""

    test: dataset.LabelledImages
    outputs: np.ndarray
    validation_accuracy: float
    test_accuracy: float


def train_and_evaluate(
    config: TrainConfig,
    report: Progress,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> TrainResult:
    """Trains as `config` says and writes the model, its record and its reference outputs.

    The search and early stopping see the training and validation images only; the test images
    are loaded after the model is final and evaluated once.

    Raises:
        DataError: the data set cannot be had.
        ArtifactError: the artifacts folder cannot be written.
    """
    check_places(config.artifacts, FILES)
    with staging(config.artifacts) as staged:
        training = load_training_data(config.data)
        _check_repeatable(config, training)
        started = time.perf_counter()
        hyperparameters, found, answer = _choose(config, training, report)
        searched = time.perf_counter()
        if answer is None:
            final = fit_final(config, hyperparameters, training.fit, report, training.sha256)
        else:
            final = answer.final
        fitted = time.perf_counter()
        folds = config.cross_validate and cross_validate(
            hyperparameters,
            training.images,
            folds=config.cross_validate,
            epochs=config.fit_epochs,
            seed=config.seed,
            report=report,
        )
        evaluated = _evaluate(final.model, training, config.data)
        model_sha256 = _save(staged, final.model, evaluated)
        result = TrainResult(
            hyperparameters=hyperparameters,
            search=found,
            answer=answer,
            history=final.history,
            cross_validation=folds or None,
            validation_accuracy=evaluated.validation_accuracy,
            test_accuracy=evaluated.test_accuracy,
            search_seconds=round(searched - started, 2),
            fit_seconds=round(fitted - searched, 2),
            parameters=final.model.count_params(),
            model_sha256=model_sha256,
            model_size_bytes=(staged / MODEL_FILE).stat().st_size,
            weights_sha256=array_sha256(*final.model.get_weights()),
            test_sha256=evaluated.test.sha256(),
            plots=_draw(staged, training, final.history, found, answer, evaluated, config),
        )
        write_json(staged / RECORD_FILE, result.as_json(config, training, created=now()))
        publish([staged / name for name in FILES], config.artifacts)
        if result.plots:
            folder = config.artifacts / PLOTS_FOLDER
            folder.mkdir(exist_ok=True)
            publish(list(result.plots), folder)
        final.forget()
    return result


def _check_repeatable(config: TrainConfig, training: TrainingData) -> None:
    repeated = config.repeated
    if repeated is not None and repeated.data_sha256 != training.sha256:
        raise DataError(
            f"{repeated.path} was trained on other images: got SHA-256 {training.sha256[:12]}…, "
            f"expected {repeated.data_sha256[:12]}…; give --data the folder that it was trained on"
        )


def _choose(
    config: TrainConfig, training: TrainingData, report: Progress
) -> tuple[Hyperparameters, Search | None, Answer | None]:
    """Returns the user's hyperparameters if both were given, else the best that a search finds.

    And the search, or what was found within limits, which is fitted already.
    """
    recipe = config.recipe
    if config.request is not None:
        answer = find(config, config.request, training.fit, report, data_sha256=training.sha256)
        return answer.hyperparameters, None, answer
    if config.tuner == "none":
        given = Hyperparameters(
            recipe=recipe,
            units=config.units or recipe.units,
            learning_rate=config.learning_rate or recipe.learning_rate,
        )
        return given, None, None
    found = search(config, training.fit, report, data_sha256=training.sha256)
    report.milestone(
        f"search: {len(found.trials)} trials{', done earlier' if found.reused else ''}, best "
        f"{found.best.units} units, learning rate {found.best.learning_rate:g}"
    )
    return found.best, found, None


def _evaluate(model: keras.Model, training: TrainingData, data: Path | None) -> _Evaluation:
    validation = training.images.take(training.split.validation)
    test = dataset.load_test(data)
    outputs = outputs_of(model, test.images)
    return _Evaluation(
        test=test,
        outputs=outputs,
        validation_accuracy=accuracy_of(outputs_of(model, validation.images), validation.labels),
        test_accuracy=accuracy_of(outputs, test.labels),
    )


def _save(folder: Path, model: keras.Model, evaluated: _Evaluation) -> str:
    """Writes the model and its reference outputs; returns the hash of the model's file."""
    model.save(folder / MODEL_FILE)
    model_sha256 = file_sha256(folder / MODEL_FILE)
    save_outputs(
        folder / OUTPUTS_FILE,
        ReferenceOutputs(
            outputs={dataset.OUTPUT_NAME: evaluated.outputs},
            model_sha256=model_sha256,
            data_sha256=evaluated.test.sha256(),
            inputs_sha256=array_sha256(evaluated.test.images),
            preprocessing={dataset.INPUT_NAME: dataset.PREPROCESSING},
            labels=dataset.LABELS,
            inputs=(dataset.INPUT,),
        ),
    )
    return model_sha256


def _draw(
    folder: Path,
    training: TrainingData,
    history: dict[str, list[float]],
    found: Search | None,
    answer: Answer | None,
    evaluated: _Evaluation,
    config: TrainConfig,
) -> tuple[Path, ...]:
    """Draws the pictures of a run into a folder, and of a search for limits in any case."""
    if not config.plots and answer is None:
        return ()
    from train import plots  # matplotlib takes half a second, and most runs draw nothing

    figures = {}
    if answer is not None and config.request is not None:
        figures["limits"] = plots.candidates(answer.as_json(config.request))
    if config.plots:
        figures |= {
            "articles": plots.articles(training.images, dataset.LABELS),
            "learning-curves": plots.learning_curves(history),
            "confusion": plots.confusion(evaluated.outputs, evaluated.test.labels, dataset.LABELS),
        }
    if found is not None and config.plots:
        figures["trials"] = plots.trials(found.trials)
    return tuple(plots.save(figures, folder))
