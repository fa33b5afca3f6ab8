"""Whether this code runs in a bundle, made by `python -m export --bundle`."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUNDLE_FILE = "bundle.json"
DATA_FOLDER = "data"  # of a bundle: the test images that it carries
REQUIREMENTS_FILE = "requirements.txt"  # of a bundle


def in_bundle() -> bool:
    """Returns whether the three packages lie in a bundle, which lists its files beside them."""
    return (ROOT / BUNDLE_FILE).is_file()
