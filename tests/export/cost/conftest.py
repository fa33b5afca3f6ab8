"""A worker that is asked by all tests, and small models that nobody has trained."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import pytest

from export.deploy.cores.core import core_named, missing
from tests.commands import REPOSITORY

Ask = Callable[..., dict[str, Any]]


def needs_core(name: str) -> None:
    """Skips a test where what a core needs is not installed."""
    if install := missing(core_named(name)):
        assert "REQUIRE_MCU" not in os.environ, install
        pytest.skip(install)


@pytest.fixture(scope="session")
def process() -> Iterator[subprocess.Popen[str]]:
    """A worker that is ready."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "export.cost"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        assert worker.stderr is not None
        assert json.loads(worker.stdout.readline())["ready"]
        yield worker
        worker.stdin.close()
        assert worker.wait() == 0
        assert worker.stderr.read() == ""


@pytest.fixture(scope="session")
def tell(process: subprocess.Popen[str]) -> Callable[[str], dict[str, Any]]:
    """Returns the answer to a line."""

    def told(line: str) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
        found: dict[str, Any] = json.loads(process.stdout.readline())
        return found

    return told


@pytest.fixture(scope="session")
def ask(tell: Callable[[str], dict[str, Any]]) -> Ask:
    """Returns the answer to a request; each is asked once."""
    answered: dict[str, dict[str, Any]] = {}

    def asked(**request: Any) -> dict[str, Any]:
        line = json.dumps({"needs": ["flash", "ram", "latency"], **request}, default=str)
        if line not in answered:
            answered[line] = tell(line)
        return answered[line]

    return asked


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Saved models by name: as they were initialized."""
    folder = tmp_path_factory.mktemp("costs")
    made = {"mlp": dense(32), "wide": dense(320), "cnn": separable(8), "ids": of_ids()}
    made["large"] = maps()
    for name, model in made.items():
        model.save(folder / f"{name}.keras")
    return {name: folder / f"{name}.keras" for name in made}


def dense(units: int) -> keras.Model:
    image = keras.Input((28, 28), name="image")
    x = keras.layers.Flatten()(image)
    return _scores(image, keras.layers.Dense(units, activation="relu")(x))


def separable(filters: int) -> keras.Model:
    image = keras.Input((28, 28, 1), name="image")
    x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(image)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False)(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Conv2D(2 * filters, 1, use_bias=False)(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    return _scores(image, keras.layers.GlobalAveragePooling2D()(x))


def maps() -> keras.Model:
    """Its maps take 50 kB each."""
    image = keras.Input((28, 28, 1), name="image")
    x = keras.layers.Conv2D(64, 1, activation="relu")(image)
    x = keras.layers.Conv2D(64, 1, activation="relu")(x)
    return _scores(image, keras.layers.GlobalMaxPooling2D()(x))


def of_ids() -> keras.Model:
    ids = keras.Input((8,), dtype="int32", name="ids")
    return _scores(ids, keras.layers.Flatten()(keras.layers.Embedding(20, 4)(ids)))


def _scores(given: Any, x: Any) -> keras.Model:
    return keras.Model(given, keras.layers.Dense(10, activation="softmax", name="scores")(x))
