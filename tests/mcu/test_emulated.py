"""The C computes the same bytes on emulated cores as here, whatever the operators."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from export.deploy.cores.build import DoesNotFitError, build, write_interface
from export.deploy.cores.core import CORES, QUICK, Core, core_named, missing
from export.deploy.cores.emulate import run
from tests.export.deploy.c.files import outputs, program_of, write
from tests.export.deploy.c.models import MODELS
from tests.export.deploy.c.recurrent_files import model_file
from tests.mcu.__main__ import run_all
from tests.mcu.here import build_here, run_here
from tests.mcu.networks import Network
from train.common.errors import ToolkitError
from train.data.fashion_mnist import LabelledImages

pytestmark = pytest.mark.slow
CALLS = 4
NAMES = [core.name for core in CORES]
# Networks whose weights come in all the remainders that the cores' own loops leave.
EVERYWHERE = ("dense", "convolutions")
RECURRENT = ("stacked", "masked")
NO_IMAGES = LabelledImages(images=np.zeros((0, 28, 28), np.uint8), labels=np.zeros(0, np.uint8))


def needed(name: str) -> Core:
    core = core_named(name)
    if install := missing(core):
        assert "REQUIRE_MCU" not in os.environ, install
        pytest.skip(install)
    return core


@dataclass(frozen=True)
class Source:
    """A folder with a network's `model.c`, `model.h` and `run.h`, inputs, and what is made of them.

    `made` is of this machine.
    """

    folder: Path
    inputs: np.ndarray
    made: np.ndarray


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Source]:
    """Each network, with what it computes here."""
    found = {}
    for name in (*MODELS, *RECURRENT):
        folder = tmp_path_factory.mktemp(name)
        if name in MODELS:
            path = write(MODELS[name](), folder / f"{name}.tflite")
        else:
            path = model_file(name, folder)
        outputs(path, folder, ("-O1",))
        network = program_of(path).network
        given, made = (
            [(network.tensors[each].size, network.tensors[each].dtype) for each in ends]
            for ends in (network.inputs, network.outputs)
        )
        counts = write_interface(given, made, folder)
        inputs = np.random.default_rng(2).integers(-128, 128, (CALLS, counts[0])).astype(np.int8)
        found[name] = Source(folder, inputs, run_here(build_here(folder), inputs, counts[1]))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_core_computes_the_bytes_of_this_machine(
    name: str, sources: Mapping[str, Source]
) -> None:
    core = needed(name)
    fitting: list[str] = []
    for network in sources if name in QUICK or name == "ATmega2560" else EVERYWHERE:
        source = sources[network]
        try:
            built = build(core, source.folder)
        except DoesNotFitError:
            assert core.family == "avr"  # the others have room for all
            continue
        ran = run(core, built.program, source.inputs, source.made.shape[1])
        np.testing.assert_array_equal(ran.outputs, source.made, err_msg=f"{network} on {name}")
        assert built.bare.in_ram == 0  # constants stay in flash
        assert 0 < ran.stack < 1_000
        assert ran.steps > source.made.shape[1]
        fitting.append(network)
    assert len(fitting) >= 2, fitting


@pytest.fixture
def network(sources: Mapping[str, Source], tmp_path: Path) -> Network:
    """A network that is already built for this machine, on inputs of its own."""
    folder, counts = sources["dense"].folder, (784, 10)
    found = Network(name="dense", artifacts=tmp_path, work=folder, test=NO_IMAGES)
    inputs = np.zeros((2, counts[0]), np.int8)
    found.__dict__.update(
        interface=counts,
        inputs=inputs,
        multiplications=1,
        host=run_here(folder / "native", inputs, counts[1]),
    )
    return found


def test_a_byte_that_differs_is_told_and_ends_with_1(
    network: Network, capsys: pytest.CaptureFixture[str]
) -> None:
    cores = [needed(name) for name in QUICK]
    assert run_all([network], cores, 2) == 0
    assert "the same bytes, 2 images" in capsys.readouterr().out
    network.host[1, 3] ^= 1
    assert run_all([network], cores, 2) == 1
    assert "1 bytes DIFFER, 2 images" in capsys.readouterr().out


def test_a_program_that_faults_is_told_as_such(network: Network) -> None:
    core = needed("Cortex-M4")
    source = network.work / "model.c"
    good = source.read_text()
    try:
        broken = good.replace("(void)arena;", '__asm volatile("udf #0");\n(void)arena;', 1)
        source.write_text(broken, encoding="ascii")
        built = build(core, network.work)
        with pytest.raises(ToolkitError, match="qemu-system-arm ended with exit code 1"):
            run(core, built.program, network.inputs, 10)
    finally:
        source.write_text(good, encoding="ascii")
