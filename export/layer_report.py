"""What quantization costs, operator by operator, and what a mixed file leaves in float."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from train.common.files.decode import Between

MOST_NAMED = 4
MIN_AGREEMENT = 0.99  # of classes with Keras's, without labels: what a mixture keeps if any can
# Operators that compute all steps of a recurrent layer; none can be left in float by itself.
STEPS = ("WHILE", "UNIDIRECTIONAL_SEQUENCE_LSTM")
Share = Annotated[float, Between(0, 1)]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How good a model's outputs are with some of its operators quantized.

    Attributes:
        accuracy: on held-out examples, 0…1, the mean over outputs; None without labels.
        snr_db: mean centred SNR of the outputs against the Keras model's, in decibels.
    """

    accuracy: Share | None
    snr_db: float


@dataclass(frozen=True, kw_only=True)
class OperatorReport:
    """One operator of an integer file, on held-out examples.

    Attributes:
        name: the tensor that a `.tflite` operator writes, or the name of an `.onnx` node.
        operator: what it is, such as CONV_2D.
        layer: the Keras layer that it comes from.
        in_float: whether this file computes it in float.
        multiplications: products with weights, or of values with each other, for one example.
        low, high: the float model's values of its output.
        range_low, range_high: the values that its quantized output can hold; None in float.
        clipped_share: share of the float model's values that lie outside, 0…1.
        saturated_share: share of the file's own values at an end of the range that is not zero.
        weight_spread: the largest channel's weights over the smallest's, ≥ 1; None without weights.
        channels: how many its output has; None where it has none.
        dead_channels: of them, those that never change in the float model.
        lost_channels: of them, those that change in the float model and in the file do not.
        own_snr_db: the float model's output over the error that this operator adds, its inputs
            exact but for being rounded; None in float.
        snr_db: the float model's output over all error that has accumulated there in the file.
        alone: the model with this operator quantized and no other; None where it was not tried.
        left_out: the model with this operator in float and all others quantized; likewise.
        cause: why it loses what it loses, with evidence; empty where nothing stands out.
    """

    name: str
    operator: str
    layer: str
    in_float: bool
    multiplications: int
    low: float
    high: float
    range_low: float | None
    range_high: float | None
    clipped_share: Share
    saturated_share: Share
    weight_spread: float | None
    channels: int | None
    dead_channels: int | None
    lost_channels: int | None
    own_snr_db: float | None
    snr_db: float | None
    alone: Outcome | None = None
    left_out: Outcome | None = None
    cause: str = ""


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """The operators of an integer file in the order of execution.

    Attributes:
        examples: how many held-out examples they were run on.
        float_outcome: of the float model, which the others are compared with.
        outcome: of the file itself.
        int8_multiplications: share of the multiplications that are of integers, 0…1.
        operators: the operators; of very large networks those that add most error.
        not_listed: how many are left out.
        io_alone: the model with integer inputs and outputs and all operators in float; None where
            inputs and outputs are float, or it was not tried.
        io_cause: why that loses what it loses; empty where nothing stands out.
    """

    examples: int
    float_outcome: Outcome
    outcome: Outcome
    int8_multiplications: Share
    operators: tuple[OperatorReport, ...]
    not_listed: int = 0
    io_alone: Outcome | None = None
    io_cause: str = ""

    @property
    def explained(self) -> bool:
        """Whether operators were also quantized alone, and left out."""
        return any(operator.left_out is not None for operator in self.operators)


@dataclass(frozen=True, kw_only=True)
class FloatOperator:
    """An operator that a mixed file computes in float, and why."""

    name: str
    operator: str
    layer: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A mixture that was tried on held-out examples.

    Attributes:
        in_float: how many operators it leaves in float.
        accuracy_drop: 0…1, of the output that loses most; None without labels.
        drop_high: the upper end of its 95 % interval.
        snr_db: the lowest centred SNR of the outputs without labels; None where all have some.
        agreement: the lowest share of their classes that are Keras's; None where none is classes.
        passed: whether it is within the limits.
    """

    in_float: int
    accuracy_drop: float | None
    drop_high: float | None
    snr_db: float | None
    agreement: Share | None = None
    passed: bool


@dataclass(frozen=True, kw_only=True)
class Mixture:
    """What a mixed file leaves in float, and how that was found.

    Attributes:
        operators: those in float, in the order of execution.
        of: how many operators could be quantized.
        float_operators: the file's operators that compute in float, counted by name as
            verification reads them.
        int8_multiplications: share of the multiplications that are of integers, 0…1; None where
            the file could not be looked at.
        int8_bytes: share of the weights' bytes that are of 8 bits, 0…1.
        max_drop: most accuracy that might be lost, 0…1.
        min_snr_db: the least centred SNR of an output without labels.
        max_float_share: the most multiplications that might be left in float, 0…1.
        tried: the mixtures that were tried, in order.
    """

    operators: tuple[FloatOperator, ...]
    of: int
    float_operators: Mapping[str, int]
    int8_multiplications: Share | None
    int8_bytes: Share
    max_drop: Share
    min_snr_db: float
    max_float_share: Share
    tried: tuple[Attempt, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The operators in float, as the converter knows them."""
        return tuple(operator.name for operator in self.operators)

    @property
    def text(self) -> str:
        """What is left in float, in words."""
        if not self.operators:
            said = (
                f"plain int8 is within the limits, so that none of {self.of} operators is in float"
            )
        else:
            layers = list(dict.fromkeys(operator.layer for operator in self.operators))
            named = ", ".join(layers[:MOST_NAMED]) + ", …" * (len(layers) > MOST_NAMED)
            said = f"{len(self.operators)} of {self.of} operators in float ({named})"
            if self.int8_multiplications is not None:
                said += f", {self.int8_multiplications:.0%} of the multiplications in int8"
        return "; ".join(filter(None, [said, self.disagreement]))

    @property
    def disagreement(self) -> str:
        """What is lost of classes without labels if none within the limits keeps more, or empty."""
        within = [each for each in self.tried if each.passed and each.agreement is not None]
        closest = max(within, key=lambda each: (each.agreement, -each.in_float), default=None)
        if closest is None or closest.agreement is None or closest.agreement >= MIN_AGREEMENT:
            return ""
        return (
            f"of {len(self.tried)} mixtures with at most {self.max_float_share:.0%} of the "
            f"multiplications in float none within the limits keeps {MIN_AGREEMENT:.0%} of the "
            f"examples in Keras's class; closest: {closest.agreement:.1%} with {closest.in_float} "
            f"of {self.of} operators in float"
        )
