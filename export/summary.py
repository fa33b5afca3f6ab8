"""Renders what was written as a line for the terminal. Light."""

from export.convert import calibration
from export.manifest import Manifest


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
    else:
        told.append(f"outputs' noise is {of('variation_db'):.1f} dB below their variation")
    line += ", ".join(told)
    if "sparsity" in values:
        line += f", {of('sparsity'):.0%} of the weights zero"
    found = manifest.calibration
    if found is not None and len(found.candidates) > 1:
        line += f", calibrated by {found.method}"
    if manifest.fine_tuning is not None and not manifest.fine_tuning.kept:
        line += f", not fine-tuned, which gains nothing here ({manifest.fine_tuning.text})"
    if found is not None and found.halves_difference > calibration.MAX_HALVES_DIFFERENCE:
        line += (
            f"; warning: ranges of two halves of the {found.count} calibration examples differ by "
            f"{found.halves_difference:.0%}, give more with --calibration-samples"
        )
    return line
