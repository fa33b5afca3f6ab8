"""The search for hidden units and learning rate, by keras-tuner's Hyperband. Heavy."""

import tempfile
import time
from typing import Any

import keras
import keras_tuner

from train.config import LEARNING_RATE_CHOICES, UNITS_CHOICES, Hyperparameters, TrainConfig
from train.errors import ToolkitError
from train.model import CosineAnnealing, FitData, build_model
from train.progress import Progress

PATIENCE_EPOCHS = 3
# Trials see this share of the training images: they are there to be compared, not deployed.
SEARCH_SHARE = 0.6


class RecipeModel(keras_tuner.HyperModel):
    """Builds and fits a trial with the same recipe as the final fit."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self._config = config

    def hyperparameters(self, hp: keras_tuner.HyperParameters) -> Hyperparameters:
        """Returns a trial's hyperparameters; one that the user gave is not searched."""
        units, rate = self._config.units, self._config.learning_rate
        return Hyperparameters(
            units=hp.Int("units", UNITS_CHOICES[0], UNITS_CHOICES[-1], step=UNITS_CHOICES[0])
            if units is None
            else hp.Fixed("units", units),
            learning_rate=hp.Choice("learning_rate", list(LEARNING_RATE_CHOICES))
            if rate is None
            else hp.Fixed("learning_rate", rate),
        )

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Returns the compiled model of a trial.

        Its optimizer has its variables already, so that a trial that goes on from an earlier
        one's checkpoint gets the optimizer's state back too; Keras else skips it.
        """
        model = build_model(self.hyperparameters(hp))
        model.optimizer.build(model.trainable_variables)
        return model

    def fit(
        self,
        hp: keras_tuner.HyperParameters,
        model: keras.Model,
        *args: Any,  # keras-tuner's interface
        callbacks: list[keras.callbacks.Callback],
        **kwargs: Any,
    ) -> Any:
        """Fits a trial for the epochs that Hyperband grants it, annealed over them."""
        annealing = CosineAnnealing(self.hyperparameters(hp).learning_rate)
        return model.fit(*args, callbacks=[*callbacks, annealing], **kwargs)


class ReportTrials(keras.callbacks.Callback):
    """Says which trial runs and how it does."""

    def __init__(self, report: Progress, tuner: "ReportingHyperband") -> None:
        super().__init__()
        self._report = report
        self._tuner = tuner

    def __deepcopy__(self, memo: dict[int, Any]) -> "ReportTrials":
        return self  # keras-tuner copies its callbacks for every trial; this one is shared

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Reports one epoch of the running trial."""
        trial = self._tuner.running
        self._report.step(
            f"search: trial {int(trial.trial_id) + 1}, "
            f"{trial.hyperparameters.values['units']} units, "
            f"learning rate {trial.hyperparameters.values['learning_rate']:g}, "
            f"epoch {epoch + 1}/{trial.hyperparameters.values['tuner/epochs']}: "
            f"validation accuracy {(logs or {})['val_accuracy']:.2%}"
        )


class ReportingHyperband(keras_tuner.Hyperband):
    """Hyperband that remembers its running trial and how long each trial took."""

    running: Any
    seconds: dict[str, float]

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        """Runs a trial as its base does."""
        self.running = trial
        started = time.perf_counter()
        result = super().run_trial(trial, *args, **kwargs)
        self.seconds[trial.trial_id] = round(time.perf_counter() - started, 2)
        return result


def search(
    config: TrainConfig, data: FitData, report: Progress
) -> tuple[Hyperparameters, list[dict[str, Any]]]:
    """Searches what the user left open; returns the best hyperparameters and every trial.

    Hyperband (Li et al. 2018, https://arxiv.org/abs/1603.06560): many short trials, the best
    third of each round goes on for three times as long. Decided by validation accuracy, on a
    share of the training images.

    Raises:
        ToolkitError: several trials in a row failed, such as on a full disk.
    """
    recipe = RecipeModel(config)
    with tempfile.TemporaryDirectory(prefix="tuning-") as folder:
        tuner = ReportingHyperband(
            recipe,
            objective=keras_tuner.Objective("val_accuracy", "max"),
            max_epochs=config.search_epochs,
            factor=3,
            seed=config.seed,
            directory=folder,
            project_name="hyperband",
        )
        tuner.seconds = {}
        stopping = keras.callbacks.EarlyStopping(monitor="val_accuracy", patience=PATIENCE_EPOCHS)
        try:
            tuner.search(
                **data.first(SEARCH_SHARE).fit_arguments(Hyperparameters.batch_size),
                callbacks=[stopping, ReportTrials(report, tuner)],
            )
        except RuntimeError as error:  # too many trials failed; the last line says of what
            reason = str(error).strip().splitlines()[-1]
            raise ToolkitError(
                f"the search stopped because its trials failed ({reason}); mend that, or give "
                "--units and --learning-rate to do without it"
            ) from error
        best = recipe.hyperparameters(tuner.get_best_hyperparameters()[0])
        trials = [_trial_record(trial, tuner.seconds) for trial in tuner.oracle.trials.values()]
    return best, trials


def _trial_record(trial: Any, seconds: dict[str, float]) -> dict[str, Any]:
    values = trial.hyperparameters.values
    return {
        "trial": int(trial.trial_id) + 1,
        "units": values["units"],
        "learning_rate": values["learning_rate"],
        "epochs": values["tuner/epochs"],
        "initial_epoch": values["tuner/initial_epoch"],
        "validation_accuracy": trial.score,
        "status": trial.status,
        "seconds": seconds.get(trial.trial_id),
    }
