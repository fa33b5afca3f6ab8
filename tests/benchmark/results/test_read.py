"""What `--compare` is given may be anything: one line, exit code 2."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmark.recorded import Content, changed, content, row, run, written
from tests.commands import REPOSITORY, assert_one_line_error, run_in_process
from train.common.errors import ArtifactError

AGAIN = "run `python -m benchmark` again"


def with_size(text: str) -> str:
    return json.dumps(content()).replace('"size_bytes": 1000', f'"size_bytes": {text}')


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
        ('{"schema_version": 1}', "has no created"),
        (with_size("NaN"), "NaN is not a JSON number"),
        (with_size("-Infinity"), "-Infinity is not a JSON number"),
        (with_size("1e999"), "1e999 is not a finite number"),
        (
            json.dumps(content()).replace('"p50": 20.0', '"p50": 1e999'),
            "1e999 is not a finite number",
        ),
        (with_size("9" * 5_000), "is not JSON"),
        (
            with_size("-1"),
            "results 1: got size_bytes -1, expected a whole",
        ),
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
    done = run_in_process("benchmark", "--compare", *files)
    assert_one_line_error(done, f"{bad}", expected, AGAIN)
    assert done.out == ""
    assert bad.read_text(encoding="latin-1") == text


def test_a_path_that_is_no_file(tmp_path: Path) -> None:
    good = written(content(), tmp_path, "good.json")
    absent = run_in_process("benchmark", "--compare", good, tmp_path / "absent.json")
    assert_one_line_error(absent, "absent.json: No such file or directory", AGAIN)
    folder = run_in_process("benchmark", "--compare", tmp_path, good)
    assert_one_line_error(folder, "Is a directory", AGAIN)


def in_row(**fields: object) -> Callable[[Content], None]:
    return lambda found: found["results"][1].update(fields)


def in_latency(**fields: object) -> Callable[[Content], None]:
    return lambda found: found["results"][1]["latency_us"].update(fields)


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
        (in_row(name=3), "results 2: got name 3, expected a text"),
        (in_row(name="first"), 'got name "first", expected every name once'),
        (in_row(verdict="maybe"), 'got verdict "maybe", expected pass, fail, inconclusive, error'),
        (in_row(verdict=None), "got verdict null, expected pass, fail"),
        (in_row(reasons="none"), 'got reasons "none", expected a list'),
        (in_row(size_bytes="1 kB"), 'got size_bytes "1 kB", expected a whole number in 0…2^53'),
        (in_row(size_bytes=1.5), "got size_bytes 1.5"),
        (in_row(size_bytes=True), "got size_bytes true"),
        (in_row(gzip_bytes=2**60), "got gzip_bytes 1152921504606846976"),
        (in_row(predicted=[1, 2]), "got predicted of 2, expected 1000 images"),
        (in_row(predicted=["1"] * 1_000), 'got predicted with "1", expected a list of classes'),
        (in_row(predicted=[-1] * 1_000), "got predicted with -1"),
        (in_row(predicted=[2**40] * 1_000), "got predicted with 1099511627776"),
        (in_row(reasons=["a", 1]), "got reasons 2 1, expected a text"),
        (in_row(latency_us=[]), "results 2: latency_us: got [], expected an object"),
        (in_row(latency_us={"samples": 1}), "results 2: latency_us has no p50"),
        (in_latency(rounds_p50=[1.0]), "rounds_quiet of 20, expected 1 rounds"),
        (in_latency(p50="fast"), 'latency_us: got p50 "fast", expected a number'),
        (in_latency(p50_ci95=[1.0]), "latency_us: got p50_ci95 [1.0], expected a list of 2"),
        (in_row(rounds_quiet=[1] * 20), "got rounds_quiet with 1, expected a list of true"),
        (in_rounds(0), "got rounds_p50 with 0, expected numbers above 0"),
        (in_rounds(-3.0), "got rounds_p50 with -3.0"),
        (in_rounds("fast"), 'got rounds_p50 4 "fast"'),
        (in_row(rounds_ns=[[5, -1]]), "got rounds_ns 1 with -1, expected a list of numbers above"),
        (in_row(scores={"task": "guess"}), 'scores: got task "guess", expected classes, binary'),
        (lambda found: found.update(results={}), "got results {}, expected a list"),
        (lambda found: found["results"].append(7), "results 4: got 7, expected an object"),
        (lambda found: found.update(environment=None), "environment: got null, expected an object"),
        (in_part("environment", cores=-1), "got cores -1, expected a whole number in 0…2^53"),
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


@pytest.mark.parametrize("key", ["call_overhead_us", "floor_us"])
def test_the_call_overhead_is_read_by_its_earlier_name_too(key: str, tmp_path: Path) -> None:
    found = run({**content(), key: {"litert": 1.5, "onnxruntime": None}}, tmp_path)
    assert found.call_overhead_us == {"litert": 1.5, "onnxruntime": None}
    assert run(content(), tmp_path).call_overhead_us == {}


def test_to_compare_two_files_nothing_is_loaded_that_measures_or_draws(tmp_path: Path) -> None:
    path = str(written(content(), tmp_path, "run.json"))
    code = f"""
import sys
from benchmark.__main__ import main
assert main(["--compare", {path!r}, {path!r}]) == 0
loaded = ["jinja2", "PIL", "benchmark.pipeline", "benchmark.report.page.html"]
loaded += ["benchmark.measure.session", "benchmark.measure.worker.process"]
print([name for name in loaded if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--compare"], "argument --compare: expected at least one argument"),
        (
            ["--compare", "a", "b", "--format", "tflite-int8", "--max-size-kb", "1", "--quick"],
            "got --format, --quick, --max-size-kb with --compare",
        ),
        (["--compare", "a", "b", "--artifacts", "x"], "got --artifacts with --compare"),
        (["--resume", "--compare", "a", "b"], "got --resume with --compare"),
    ],
)
def test_compare_stands_alone(arguments: list[str], expected: str) -> None:
    assert_one_line_error(run_in_process("benchmark", *arguments), expected)


@pytest.mark.parametrize(
    ("new", "code", "first"),
    [
        (content(), 0, "0 of 3 rows changed."),
        (changed(in_row(verdict="fail")), 1, "1 of 3 rows changed: 1 worse verdict."),
        (changed(in_row(size_bytes=9)), 0, "1 of 3 rows changed: 1 other size."),
    ],
)
def test_the_exit_code_says_whether_something_got_worse(
    new: Content, code: int, first: str, tmp_path: Path
) -> None:
    files = [written(content(), tmp_path, "old.json"), written(new, tmp_path, "new.json")]
    done = run_in_process("benchmark", "--compare", *files)
    assert (done.code, done.err) == (code, "")
    assert done.out.splitlines()[0] == first
    assert sorted(tmp_path.iterdir()) == sorted(files)
