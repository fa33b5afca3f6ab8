import sys
from pathlib import Path

import pytest

from tests.arm.packages import Apt, Package, kernel_of, parse_uris, run, wheel_platforms
from train.common.errors import ToolkitError

URIS = """\
Reading package lists...
The following NEW packages will be installed:
  libattr1 python3.11
'http://mirror/pool/p/python3.11_3.11.2-6_arm64.deb' python3.11_3.11.2-6_arm64.deb 575032 SHA256:ab
'http://mirror/pool/a/libattr1_2.5.1-4_arm64.deb' libattr1_1%3a2.5.1-4_arm64.deb 21888 SHA256:cd
"""
KERNEL = Package(name="linux-image-6.1.0-56-cloud-arm64", file="linux-image-6.1_arm64.deb")
POINTER = Package(name="linux-image-cloud-arm64", file="linux-image-cloud-arm64_6.1_arm64.deb")


def test_names_and_versions_of_what_apt_would_fetch() -> None:
    assert parse_uris(URIS) == (
        Package(name="libattr1", file="libattr1_1%3a2.5.1-4_arm64.deb"),
        Package(name="python3.11", file="python3.11_3.11.2-6_arm64.deb"),
    )


def test_the_kernel_is_told_from_the_package_that_points_to_it() -> None:
    assert kernel_of((POINTER, KERNEL)) is KERNEL
    with pytest.raises(ToolkitError, match=r"apt names no kernel.*run `apt-get update`"):
        kernel_of((POINTER,))


def test_wheels_for_as_new_a_system_as_debian_and_no_newer() -> None:
    platforms = list(wheel_platforms())
    assert {"manylinux2014_aarch64", "manylinux_2_17_aarch64", "manylinux_2_28_aarch64"} < {
        *platforms
    }
    assert platforms[-1] == "manylinux_2_36_aarch64"


def test_a_machine_without_apt_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolkitError, match="got no apt-get, expected a Debian 12 machine"):
        Apt(tmp_path / "apt").resolve("python3.11")


def test_a_program_that_fails_is_quoted_with_its_error() -> None:
    code = "import sys; sys.exit('Reading\\nE: Unable to locate package no-such\\nmore')"
    with pytest.raises(ToolkitError, match="E: Unable to locate package no-such; see") as error:
        run(sys.executable, "-c", code)
    assert "\n" not in str(error.value)
    with pytest.raises(ToolkitError, match="failed: no message"):
        run(sys.executable, "-c", "raise SystemExit(3)")
