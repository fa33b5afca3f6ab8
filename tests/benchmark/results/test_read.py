"""What `--compare` is given may be anything: one line, exit code 2."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import assert_one_line_error, run_module
from tests.recorded import Content, changed, content, row, run, written
from train.common.errors import ArtifactError

AGAIN = "run `python -m benchmark` again"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is not JSON"),
        (json.dumps(content())[:-100], "is not JSON"),
        ("\x00\xff", "is not JSON"),
        ("[" * 100_000, "is not JSON (maximum recursion depth exceeded"),
        ("[]", "has schema_version None, expected 1"),
        ('"text"', "has schema_version None, expected 1"),
        (json.dumps({**content(), "schema_version": 2}), "has schema_version 2, expected 1"),
        (json.dumps({**content(), "results": []}), "has no rows in it: nothing was measured"),
        ('{"schema_version": 1}', "has no data"),
        (json.dumps(content()).replace("1000", "NaN"), "NaN is not a JSON number"),
        (json.dumps(content()).replace("1000", "-Infinity"), "-Infinity is no JSON number"),
        (json.dumps(content()).replace("1000", "1e999"), "row 1: got size_bytes Infinity"),
        (json.dumps(content()).replace("1000", "9" * 5_000), "is not JSON"),
        (json.dumps(content()).replace("1000", "-1"), "row 1: got size_bytes -1, expected a whole"),
    ],
)
@pytest.mark.parametrize("bad_one", ["old", "new"])
def test_a_file_that_is_no_results_file(
    text: str, expected: str, bad_one: str, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(text, encoding="latin-1")
    good = written(content(), tmp_path, "good.json")
    files = (bad, good) if bad_one == "old" else (good, bad)
    done = run_module("benchmark", "--compare", *files)
    assert_one_line_error(done, f"{bad}", expected, AGAIN)
    assert done.out == ""
    assert bad.read_text(encoding="latin-1") == text


def test_a_path_that_is_no_file(tmp_path: Path) -> None:
    good = written(content(), tmp_path, "good.json")
    absent = run_module("benchmark", "--compare", good, tmp_path / "absent.json")
    assert_one_line_error(absent, "absent.json: No such file or directory", AGAIN)
    folder = run_module("benchmark", "--compare", tmp_path, good)
    assert_one_line_error(folder, "Is a directory", AGAIN)


def in_row(**fields: object) -> Callable[[Content], None]:
    return lambda found: found["results"][1].update(fields)


def in_part(part: str, **fields: object) -> Callable[[Content], None]:
    return lambda found: found[part].update(fields)


def without(part: str, name: str) -> Callable[[Content], None]:
    def change(found: Content) -> None:
        del found[part][name]

    return change


def in_rounds(value: object) -> Callable[[Content], None]:
    def change(found: Content) -> None:
        found["results"][1]["latency_us"]["rounds_p50"][3] = value

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (in_row(name=3), "row 2: got name 3, expected a text"),
        (in_row(name="first"), 'got row 2 named "first", expected every name once'),
        (in_row(verdict="maybe"), 'got verdict "maybe", expected pass, fail, inconclusive, error'),
        (in_row(verdict=None), "got verdict null, expected a text"),
        (in_row(reasons="none"), 'got reasons "none", expected a list of texts'),
        (in_row(size_bytes="1 kB"), 'got size_bytes "1 kB", expected a whole number in 0…2^53'),
        (in_row(size_bytes=1.5), "got size_bytes 1.5"),
        (in_row(size_bytes=True), "got size_bytes true"),
        (in_row(gzip_bytes=2**60), "got gzip_bytes 1152921504606846976"),
        (in_row(predicted=[1, 2]), "got predicted of 2, expected 1000 images"),
        (in_row(predicted=["1"] * 1_000), 'got predicted with "1", expected a list of classes'),
        (in_row(predicted=[-1] * 1_000), "got predicted with -1"),
        (in_row(predicted=[2**40] * 1_000), "got predicted with 1099511627776"),
        (in_row(latency_us=[]), "row 2: latency_us: got [], expected an object"),
        (in_row(latency_us={"p50": 1}), "row 2: latency_us has no rounds_p50"),
        (in_row(latency_us={"p50": 1, "rounds_p50": [1]}), "rounds_quiet of 20, expected 1 rounds"),
        (in_row(latency_us={"p50": -1, "rounds_p50": [1] * 20}), "latency_us: got p50 -1"),
        (in_row(rounds_quiet=[1] * 20), "got rounds_quiet with 1, expected a list of true"),
        (in_rounds(0), "got rounds_p50 with 0, expected a list of numbers above 0"),
        (in_rounds(-3.0), "got rounds_p50 with -3.0"),
        (in_rounds("fast"), 'got rounds_p50 with "fast"'),
        (in_rounds(1e300), "got rounds_p50 with 1e+300"),
        (lambda found: found.update(results={}), "got results {}, expected a list"),
        (lambda found: found["results"].append(7), "row 4: got 7, expected an object"),
        (lambda found: found.update(environment=None), "environment: got null, expected an object"),
        (in_part("environment", cores=0), "got cores 0, expected a whole number in 1…2^53"),
        (in_part("environment", cpu=["x"] * 99), 'got cpu ["x", "x", '),
        (in_part("settings", rounds=0), "settings: got rounds 0"),
        (in_part("settings", launches=None), "settings: got launches null"),
        (in_part("data", labels=[1]), "data: got labels of 1, expected 1000 images"),
        (in_part("source", predicted=None), "source: got predicted null"),
        (in_part("versions", numpy=2), "versions: got numpy 2, expected a text"),
        (without("settings", "rounds"), "settings has no rounds"),
        (without("data", "labels"), "data has no labels"),
    ],
)
def test_a_garbled_field_is_named(
    change: Callable[[Content], None], expected: str, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError) as raised:
        run(changed(change), tmp_path, "bad.json")
    message = str(raised.value)
    assert message.startswith(str(tmp_path / "bad.json"))
    assert expected in message
    assert message.endswith(AGAIN)
    assert "\n" not in message
    assert len(message) < len(str(tmp_path)) + 250


def test_what_a_terminal_would_obey_is_not_kept(tmp_path: Path) -> None:
    hostile = {**row("a\x1b[2Jb"), "reasons": ["one\ntwo"]}
    (found,) = run(content(hostile), tmp_path).rows.values()
    assert (found.name, found.reasons) == ("a [2Jb", ("one two",))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--compare", "old.json"], "argument --compare: expected 2 arguments"),
        (["--compare", "a", "b", "c"], "unrecognized arguments: c"),
        (
            ["--compare", "a", "b", "--format", "tflite-int8", "--max-size-kb", "1", "--quick"],
            "got --format, --max-size-kb, --quick with --compare",
        ),
        (["--compare", "a", "b", "--artifacts", "x"], "got --artifacts with --compare"),
        (["--resume", "--compare", "a", "b"], "got --resume with --compare"),
    ],
)
def test_compare_stands_alone(arguments: list[str], expected: str) -> None:
    assert_one_line_error(run_module("benchmark", *arguments), expected)


@pytest.mark.parametrize(
    ("new", "code", "first"),
    [
        (content(), 0, "0 of 3 rows changed."),
        (changed(in_row(verdict="fail")), 1, "1 of 3 rows changed: 1 with a worse verdict."),
        (changed(in_row(size_bytes=9)), 0, "1 of 3 rows changed: 1 of another size."),
    ],
)
def test_the_exit_code_says_whether_something_got_worse(
    new: Content, code: int, first: str, tmp_path: Path
) -> None:
    files = [written(content(), tmp_path, "old.json"), written(new, tmp_path, "new.json")]
    done = run_module("benchmark", "--compare", *files)
    assert (done.code, done.err) == (code, "")
    assert done.out.splitlines()[0] == first
    assert sorted(tmp_path.iterdir()) == sorted(files)
