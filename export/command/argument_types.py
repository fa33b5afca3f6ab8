"""What the command line takes for preprocessing and sizes, as argparse types."""

import argparse

from train.common.preprocessing import Factor, Preprocessing

KEYS = ("scale", "mean", "std")
EXAMPLE = "scale=1/255,mean=0.5,std=0.25"


def parse_preprocess(text: str) -> tuple[str, Preprocessing]:
    """An argparse type: `[INPUT:]scale=1/255,mean=0.5,std=0.25` → the input's name, what is done.

    A raw value r becomes (r * scale - mean) / std. A mean or std for each channel is given as
    `0.485:0.456:0.406`.
    """
    named = ":" in text.split("=")[0]
    name, _, rest = text.partition(":") if named else ("", "", text)
    values: dict[str, tuple[float, ...]] = {}
    for part in rest.split(","):
        key, equals, value = part.partition("=")
        if key.strip() not in KEYS or not equals or key.strip() in values:
            raise argparse.ArgumentTypeError(
                f"got {part!r} in {text!r}, expected {', '.join(KEYS)}, each once, "
                f"such as {EXAMPLE}"
            )
        values[key.strip()] = tuple(map(parse_number, value.split(":")))
    if any(0 in values.get(key, ()) for key in ("scale", "std")):
        raise argparse.ArgumentTypeError(f"got a scale or std of 0 in {text!r}, expected another")
    lengths = {len(found) for found in values.values()} - {1}
    if len(lengths) > 1:
        raise argparse.ArgumentTypeError(
            f"got {' and '.join(map(str, sorted(lengths)))} channels in {text!r}, expected as many "
            "of each, or one number for all"
        )
    count = max([1, *lengths])
    scale, mean, std = (
        (values.get(key, (default,)) * count)[:count]
        for key, default in (("scale", 1.0), ("mean", 0.0), ("std", 1.0))
    )
    scales = tuple(s / d for s, d in zip(scale, std, strict=True))
    offsets = tuple(-m / d for m, d in zip(mean, std, strict=True))
    return name, Preprocessing(scale=_factor(scales), offset=_factor(offsets))


def parse_number(text: str) -> float:
    """An argparse type: a finite number, or a fraction such as 1/255."""
    above, slash, below = text.strip().partition("/")
    try:
        value = float(above) / (float(below) if slash else 1.0)
    except (ValueError, ZeroDivisionError):
        value = float("nan")
    if not abs(value) < float("inf"):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number, or one such as 1/255")
    return value


def parse_scale(text: str) -> float:
    """An argparse type: a number as of `parse_number`, but 0."""
    value = parse_number(text)
    if value == 0:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected another number than 0")
    return value


def parse_size(text: str) -> tuple[int, int]:
    """An argparse type: `96x128`, or `96` for both → height and width, 1…16384."""
    parts = text.lower().split("x")
    sizes = [int(part) for part in parts if part.isascii() and part.isdigit()]
    if len(parts) > 2 or len(sizes) != len(parts) or not all(0 < size <= 16_384 for size in sizes):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected HEIGHTxWIDTH such as 96x96")
    return sizes[0], sizes[-1]


def _factor(values: tuple[float, ...]) -> Factor:
    return values[0] if len(set(values)) == 1 else values
