"""The line that a user reads of an export."""

from export.convert.calibrate.calibration import MAX_HALVES_DIFFERENCE
from export.convert.recurrent.description import RECURRENT_LAYERS, STATES
from export.manifest import EVERY_PROCESSOR, Manifest
from export.model.signature import NEXT
from export.verify.file import FLOAT_TAIL, ODD_EXAMPLES
from export.verify.promise import INT4_SHARE
from export.verify.size import FLOAT_PARTS, LARGER


def summary(manifest: Manifest) -> str:
    """Returns the line that tells a user what was written and how it compares."""
    values = {check.name: check.value for check in manifest.checks}
    values |= {seen.name: seen.value for seen in manifest.observations}

    def of(name: str) -> float:
        return float(values[name])

    line = f"{manifest.format:<28} {manifest.size_bytes / 1000:>8,.1f} kB  "
    told = []
    if "agreement" in values:
        told.append(f"agrees with Keras on {of('agreement'):.2%} of held-out examples")
    if "accuracy_drop" in values:
        told.append(f"accuracy drop {of('accuracy_drop') * 100:+.2f} points")
    elif "variation_db" in values:
        told.append(f"centred SNR {of('variation_db'):.1f} dB against Keras's outputs")
    told += [str(value) for name, value in values.items() if name.split(":")[0] == "constant"]
    line += ", ".join(told)
    if "sparsity" in values:
        line += f", {of('sparsity'):.0%} of the weights zero"
    if INT4_SHARE in values:
        line += f", {of(INT4_SHARE):.0%} of the weights in 4 bits"
    if FLOAT_TAIL in values:
        line += f", outputs put together in float ({values[FLOAT_TAIL]}) to keep their channels"
    found = manifest.calibration
    if found is not None and len(found.candidates) > 1:
        line += f", calibrated by {found.method}"
    if found is not None and found.folds:
        line += f", by all {found.count} examples, checked by {found.folds}-fold cross-validation"
    if RECURRENT_LAYERS in values:
        line += f", recurrent layers: {values[RECURRENT_LAYERS]}"
    if STATES in values:
        line += f", states as inputs and outputs: {values[STATES]}, zeros first, then …{NEXT}"
    if FLOAT_PARTS in values:
        line += f", in float: {values[FLOAT_PARTS]}"
    if LARGER in values:
        line += f", larger than {values[LARGER]}"
    if manifest.mixture is not None:
        line += f", {manifest.mixture.text}"
    if manifest.weight_scheme is not None:
        line += f", weights {manifest.weight_scheme.scheme}"
        if manifest.weight_scheme.holds_for != EVERY_PROCESSOR:
            line += f" (for {manifest.weight_scheme.holds_for}: --target-cpu any avoids that)"
    if manifest.fine_tuning is not None and not manifest.fine_tuning.kept:
        line += f", not fine-tuned, which gains nothing here ({manifest.fine_tuning.text})"
    if ODD_EXAMPLES in values:
        line += (
            f"; warning: {values[ODD_EXAMPLES]} calibration examples lie outside of what the "
            "others span, and would fail the checks if they were new: calibrate with more"
        )
    if found is not None and found.halves_difference > MAX_HALVES_DIFFERENCE:
        line += (
            f"; warning: ranges of two halves of the {found.count} calibration examples differ by "
            f"{found.halves_difference:.0%}, give more with --calibration-samples"
        )
    return line
