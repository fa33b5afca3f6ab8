"""Products of two computed matrices, as of attention."""

import math

import numpy as np

from export.deploy.c.network import Network, Operator, Tensor
from export.deploy.c.steps.numbers import factor
from export.deploy.c.steps.step import Step, braces, title, unsupported


def matmul(network: Network, operator: Operator) -> Step:
    """Returns the products of matrices, one for each of the leading places.

    Raises:
        ArtifactError: an operand is a constant, or repeated in a way that has no kernel.
    """
    first, second = operator.inputs
    a, b = network.tensors[first], network.tensors[second]
    output = network.tensors[operator.outputs[0]]
    if a.data is not None or b.data is not None:
        raise unsupported(operator, "with a constant")
    rows, columns = output.shape[-2:]
    depth = a.shape[-2] if operator.options.adjX else a.shape[-1]
    batches = math.prod(output.shape[:-2])
    # in float32, as GetQuantizedConvolutionMultipler in kernels/kernel_util.cc has it
    product = float(np.float32(a.scales[0]) * np.float32(b.scales[0]))
    multiplier, shift = factor(product / float(output.scales[0]))
    numbers = [
        *(batches, rows, columns, depth),
        *(_batch(operator, a, batches), *_steps(a, turned=operator.options.adjX)),
        *(_batch(operator, b, batches), *_steps(b, turned=not operator.options.adjY)),
        *(a.zero_point, b.zero_point, output.zero_point, multiplier, shift),
    ]
    return Step(
        title=title(network, operator),
        code=f"static const MODEL_FLASH struct model_matmul at = {braces(numbers)};\n"
        f"model_matmul({{t{first}}}, {{t{second}}}, {{t{operator.outputs[0]}}}, &at);",
        kernels=("scale", "narrow", "matmul"),
        inputs=(first, second),
        outputs=operator.outputs,
    )


def _steps(tensor: Tensor, *, turned: bool) -> tuple[int, int]:
    """Returns the steps to the next row of an operand, and along what is summed."""
    width = tensor.shape[-1]
    return (1, width) if turned else (width, 1)


def _batch(operator: Operator, tensor: Tensor, batches: int) -> int:
    """Returns the step to the next matrix: none where there is one for all."""
    own = math.prod(tensor.shape[:-2])
    if own not in (1, batches):
        raise unsupported(operator, f"of {tensor.shape}")
    return math.prod(tensor.shape[-2:]) if own == batches else 0
