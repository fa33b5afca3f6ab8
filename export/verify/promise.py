"""What a format's name promises, read from the file itself: types of weights, activations, input.

A manifest says what a file was when it was written. Whoever changes the file can change that too,
so the benchmark reads the file again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from export.formats.table import FORMATS, Format
from export.manifest import Check, Manifest, Observation
from export.verify.graph.contents import Graph
from export.verify.graph.products import DENSE, FUSED, Weights
from export.verify.graph.read import read_graph
from export.verify.size import listed
from train.common.errors import ArtifactError
from train.common.tensors import TensorSpec

# A format may leave part of a model as it was, for lack of kernels, but not most of it.
MIN_KEPT_SHARE = 0.5
INT4_SHARE = "int4_share"
FLOATS = ("float16", "float32", "float64")


def check_promise(entry: Format, graph: Graph) -> list[Check]:
    """Returns the checks that a file's weights and activations are of its format's types.

    Args:
        entry: the format.
        graph: what is in the file. One without large layers that are read once can keep nothing.
            A mixed one has a limit of its own, for multiplications: of the weights, some count.
    """
    if entry.mixed:
        numbers = _numbers(graph.products)
        return [_mostly("weight_types", numbers, [entry.weights], least=0.0)]
    read = [str(entry.activations)]
    if entry.activations == "dynamic":
        read.append("float32")  # weights of 8 bits, turned back into numbers of float
    weights = graph.weights
    if entry.weights == "int4":  # small kernels count too: there are int4 ones of every size
        weights = _numbers(each for each in graph.products if each.operator in (*DENSE, *FUSED))
    checks = [
        _mostly("weight_types", weights, [entry.weights], may_be_none=entry.weights != "int4"),
        _mostly("activation_types", graph.activations, read),
    ]
    if entry.calibrated:
        found = ", ".join(graph.float_operators) or "none"
        checks.append(
            Check(name="float_operators", value=found, limit="none", passed=found == "none")
        )
    return checks


def four_bit_share(graph: Graph, weights: int) -> Observation:
    """Returns how many of a model's weights are stored in 4 bits, 0…1.

    LiteRT has no such kernels for transposed convolutions, recurrent layers and embeddings.
    """
    share = _numbers(graph.products)["int4"] / max(1, weights)
    return Observation(name=INT4_SHARE, value=min(share, 1.0))


def check_kept(manifest: Manifest) -> None:
    """Checks that an export's file is what the name of its format promises.

    A name that is in no table promises nothing.

    Raises:
        ArtifactError: it is of another type, or no file of the format's family.
    """
    entry = FORMATS.get(manifest.format)
    if entry is None:
        return
    again = f"run `python -m export --format {manifest.format}` again"
    path = manifest.artifact_path
    for what, got, expected in (
        ("runtime", manifest.runtime, entry.runtime),
        ("suffix", path.suffix, entry.suffix),
    ):
        if got != expected:
            raise ArtifactError(
                f"{path} is not what {manifest.format} promises: {what}: got {got}, expected "
                f"{expected}; {again}"
            )
    graph = read_graph(path)
    checks = [*check_promise(entry, graph), _input_types(entry, manifest)]
    if entry.mixed:
        checks.append(_only_recorded(graph, manifest))
    for check in checks:
        if not check.passed:
            raise ArtifactError(
                f"{path} is not what {manifest.format} promises: {check.name.replace('_', ' ')}: "
                f"got {check.value}, expected {check.limit}; {again}"
            )


def _only_recorded(graph: Graph, manifest: Manifest) -> Check:
    """A mixed file computes in float what its manifest says, and nothing else."""
    found = Counter((*graph.float_operators, *graph.float_tail))
    recorded = {} if manifest.mixture is None else dict(manifest.mixture.float_operators)
    return Check(
        name="float_operators",
        value=listed(found) or "none",
        limit=f"those of its manifest: {listed(recorded) or 'none'}",
        passed=found == Counter(recorded),
    )


def _numbers(found: Iterable[Weights]) -> Counter[str]:
    """Returns how many numbers are stored in each dtype."""
    numbers: Counter[str] = Counter()
    for weights in found:
        numbers[weights.dtype] += weights.size
    return numbers


def _input_types(entry: Format, manifest: Manifest) -> Check:
    """Integer formats take integers, unless `--io` asked for another type that they can have."""
    dtype = str(manifest.options.get("io_dtype", entry.io_dtypes[0]))
    inputs: Sequence[TensorSpec] = manifest.inputs
    wrong = [str(spec) for spec in inputs if spec.dtype in FLOATS and spec.dtype != dtype]
    return Check(
        name="input_types",
        value=", ".join(wrong) or dtype,
        limit=dtype if wrong else " or ".join(entry.io_dtypes),
        passed=not wrong and dtype in entry.io_dtypes,
    )


def _mostly(
    name: str,
    found: Mapping[str, int],
    wanted: Sequence[str],
    *,
    may_be_none: bool = True,
    least: float = MIN_KEPT_SHARE,
) -> Check:
    total = sum(found.values())
    shares = {dtype: count / total for dtype, count in sorted(found.items()) if count}
    kept = sum(share for dtype, share in shares.items() if dtype in wanted)
    return Check(
        name=name,
        value=", ".join(f"{share:.0%} {dtype}" for dtype, share in shares.items()) or "none",
        limit=f"{f'at least {least:.0%}' if least else 'some'} {' or '.join(wanted)}",
        passed=(kept >= least and kept > 0) or (may_be_none and not shares),
    )
