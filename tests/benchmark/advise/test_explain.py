"""Sentences on rows whose causes are known."""

from dataclasses import replace

import pytest

from benchmark.advise.explain import explain, grouped
from benchmark.advise.speed import NO_CAUSE_DELEGATED
from benchmark.judge.rows import Result
from export.manifest import FineTuning
from tests.benchmark.judge.rows import row
from train.common.environment import Environment

ENVIRONMENT = Environment(
    cpu="a processor",
    architecture="x86_64",
    cpu_features=("avx2", "avx512_vnni", "avx512_fp16"),
    cores=2,
    memory_bytes=1,
    system="",
    python="",
    emulated=False,
)
OVERHEAD = {"litert": 1.0, "onnxruntime": 5.0}
DENSE = ("FULLY_CONNECTED", "FULLY_CONNECTED", "SOFTMAX")
FLOAT = row("tflite-float32", 4.0, 1_000_000, runs=DENSE, undelegated=())
ONNX_RUNS = ("FusedGemm", "Gemm", "Softmax")
ONNX_FLOAT = row("onnx-float32", 9.0, 1_000_000, runs=ONNX_RUNS)


def sentences(
    result: Result,
    *others: Result,
    environment: Environment = ENVIRONMENT,
    overhead: dict[str, float | None] | None = None,
) -> tuple[str, ...]:
    found = explain([*others, result], environment, OVERHEAD if overhead is None else overhead)
    return tuple(each.sentence for each in found if each.row == result.variant.name)


def test_an_emulated_machines_times_are_not_explained_but_sizes_are() -> None:
    emulated = replace(ENVIRONMENT, emulated=True)
    for slow in (row("tflite-int8", 9.0, 254_000), ONNX_FLOAT):
        assert sentences(slow, FLOAT)
        assert sentences(slow, FLOAT, environment=emulated) == ()
    (large,) = sentences(row("tflite-int8", 9.0, 900_000), FLOAT, environment=emulated)
    assert large.startswith("larger than 8 bits per weight")


def test_what_is_as_expected_needs_no_sentence() -> None:
    assert sentences(FLOAT) == ()
    assert sentences(row("tflite-int8", 3.5, 254_000), FLOAT) == ()
    assert sentences(row("tflite-int4", 3.0, 130_000), FLOAT) == ()
    assert sentences(row("onnx-float32", 5.9, 1_000_000), FLOAT) == ()


def test_a_row_that_was_not_measured_needs_no_sentence() -> None:
    assert sentences(replace(FLOAT, latency=None, verdict="error")) == ()
    assert sentences(row("tflite-int8", 9.0, 254_000), replace(FLOAT, latency=None)) == ()


def test_what_the_delegate_did_not_take() -> None:
    slow = row("tflite-int16x8", 20.0, 254_000, runs=DENSE, undelegated=DENSE)
    assert sentences(slow, FLOAT) == (
        "5.0 × slower than tflite-float32 (20.0 and 4.0 µs): XNNPACK took 0 of 3 operators, all "
        "(2 FULLY_CONNECTED, 1 SOFTMAX) run on LiteRT's built-in kernels",
    )
    partly = row("tflite-int8", 5.0, 254_000, runs=DENSE, undelegated=["SOFTMAX"])
    (sentence,) = sentences(partly, FLOAT)
    assert "1.2 × slower than tflite-float32" in sentence
    assert "XNNPACK took 2 of 3 operators, the rest (1 SOFTMAX) run on LiteRT's" in sentence


def test_the_delegate_is_no_cause_where_it_took_as_much_of_float32() -> None:
    base = replace(FLOAT, kernels={"operators": DENSE, "undelegated": ["SOFTMAX"]})
    slow = row("tflite-int8", 8.0, 254_000, runs=DENSE, undelegated=["SOFTMAX"])
    (sentence,) = sentences(slow, base)
    assert sentence.endswith(f": {NO_CAUSE_DELEGATED}")


def test_rows_without_the_delegate_are_compared_with_each_other_only() -> None:
    plain = replace(FLOAT, variant=replace(FLOAT.variant, mode="builtin"))
    slow = row("tflite-int8", 8.0, 254_000, mode="builtin", runs=DENSE, undelegated=DENSE)
    assert sentences(slow, FLOAT) == ()
    (sentence,) = sentences(slow, plain)
    assert "XNNPACK" not in sentence.upper()


def test_a_delegate_that_is_slower_than_no_delegate_is_told_of() -> None:
    plain = row("tflite-int8", 3.0, 254_000, mode="builtin")
    assert sentences(row("tflite-int8", 3.2, 254_000), plain) == ()
    assert sentences(plain, row("tflite-int8", 9.0, 254_000)) == ()
    assert sentences(row("tflite-int8", 9.0, 254_000), plain) == (
        "3.0 × slower than tflite-int8 builtin (9.0 and 3.0 µs): "
        "XNNPACK's kernels are slower here, leave the delegate out",
    )


def test_no_cause_is_claimed_without_evidence() -> None:
    (sentence,) = sentences(row("tflite-int8", 8.0, 254_000), FLOAT, overhead={})
    assert sentence == "2.0 × slower than tflite-float32 (8.0 and 4.0 µs): " + (
        "no cause found, try --profile, and --xnnpack on,off for LiteRT's own kernels"
    )


def test_weights_that_the_file_makes_float32() -> None:
    half = row("tflite-float16", 4.0, 520_000, operators={"DEQUANTIZE": 4, "SOFTMAX": 1})
    (sentence,) = sentences(half, FLOAT)
    assert sentence.startswith("no faster than tflite-float32 (4.0 and 4.0 µs): 4 DEQUANTIZE")
    assert "half-precision" not in sentence


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tflite-float16", "this processor lists no half-precision arithmetic"),
        ("tflite-int8", "this processor lists no dot-product instructions for 8-bit integers"),
        ("tflite-dynamic", "this processor lists no dot-product instructions for 8-bit integers"),
        ("tflite-int16x8", "no cause found"),
    ],
)
def test_what_the_processor_lacks(name: str, words: str) -> None:
    lacking = replace(ENVIRONMENT, cpu_features=("avx2",))
    unknown = replace(ENVIRONMENT, cpu_features=())
    slow = row(name, 5.0, 254_000)
    assert words in sentences(slow, FLOAT, environment=lacking)[-1]
    for environment in (ENVIRONMENT, unknown):
        assert "no cause found" in sentences(slow, FLOAT, environment=environment)[-1]


def test_call_overhead_explains_what_is_no_faster_and_not_what_is_slower() -> None:
    (same,) = sentences(row("onnx-int8", 8.8, 254_000), ONNX_FLOAT)
    assert same == (
        "only 2% faster than onnx-float32 (8.8 and 9.0 µs): 5.0 of 8.8 µs are ONNX Runtime's "
        "call overhead, what a call costs that computes nothing"
    )
    (slower,) = sentences(row("onnx-int8", 12.0, 254_000), ONNX_FLOAT)
    assert "overhead" not in slower
    (small,) = sentences(row("onnx-int8", 80.0, 254_000), row("onnx-float32", 80.0, 1_000_000))
    assert "overhead" not in small  # 5 of 80 µs


def test_call_overhead_is_not_said_of_other_numbers_of_threads() -> None:
    base = row("onnx-float32", 9.0, 1_000_000, threads=2)
    (sentence,) = sentences(row("onnx-int8", 9.0, 254_000, threads=2), base, ONNX_FLOAT)
    assert sentence.startswith("no faster than onnx-float32 2 threads")
    assert "overhead" not in sentence


def test_operators_that_only_convert() -> None:
    runs = ("Cast", "Cast", "Gemm", "Cast", "Softmax")
    (sentence,) = sentences(
        row("onnx-float16", 12.0, 520_000, runs=runs, operators={"Cast": 2, "Gemm": 2}), ONNX_FLOAT
    )
    assert sentence == (
        "1.3 × slower than onnx-float32 (12.0 and 9.0 µs): ONNX Runtime runs 5 operators, 3 Cast "
        "among them (the file has 2 Cast), of onnx-float32 3"
    )
    dynamic = row("onnx-dynamic", 12.0, 254_000, runs=("DynamicQuantizeMatMul", "Softmax"))
    assert (
        "1 DynamicQuantizeMatMul find the activations' ranges" in sentences(dynamic, ONNX_FLOAT)[0]
    )


def test_operators_of_the_file_where_those_that_run_are_not_known() -> None:
    operators = {"QuantizeLinear": 2, "DequantizeLinear": 6, "Gemm": 2}
    (sentence,) = sentences(row("onnx-int8", 12.0, 254_000, operators=operators), ONNX_FLOAT)
    assert "the file has 2 QuantizeLinear, 6 DequantizeLinear; which of them are run" in sentence


def test_the_other_runtime_at_the_same_scheme() -> None:
    (sentence,) = sentences(row("onnx-float32", 10.0, 1_000_000), FLOAT)
    assert sentence == (
        "2.5 × slower than tflite-float32 on LiteRT (10.0 and 4.0 µs): a call that computes "
        "nothing costs 5.0 µs on ONNX Runtime, 1.0 on LiteRT, which is 4.0 of the 6.0 µs between "
        "them"
    )
    far = row("onnx-float32", 90.0, 1_000_000, runs=ONNX_RUNS)
    assert "no cause found" in sentences(far, FLOAT)[0]
    assert sentences(row("onnx-int8", 9.0, 1), FLOAT) == ()


def test_noise_makes_no_sentence() -> None:
    noisy = row("tflite-int8", 3.7, 254_000, noise=0.15)
    assert noisy.latency is not None
    assert sentences(noisy, FLOAT) == ()
    steady = row("tflite-int8", 3.7, 254_000)
    assert len(sentences(steady, FLOAT)) == 1


def test_rows_that_took_no_turns_are_compared_by_their_own_intervals() -> None:
    """The drift of the machine is in them, so that 10 % cannot be told from 8 %."""
    apart = row("tflite-int8", 3.7, 254_000, first_round=40)
    assert sentences(apart, FLOAT) == ()
    assert len(sentences(row("tflite-int8", 8.0, 254_000, first_round=40), FLOAT)) == 1


def test_larger_than_its_bits() -> None:
    base = row("tflite-float32", 4.0, 1_000_000, operators={"CONV_2D": 2})
    large = row(
        "tflite-int8", 3.0, 400_000, operators={"CONV_2D": 2, "QUANTIZE": 3, "DEQUANTIZE": 3}
    )
    (sentence,) = sentences(large, base)
    assert sentence == (
        "larger than 8 bits per weight: 400.0 kB, 40% of tflite-float32's 1,000.0 kB, expected "
        "about 25%: the file has 8 operators, that of tflite-float32 2; more of 3 QUANTIZE, "
        "3 DEQUANTIZE"
    )
    (sentence,) = sentences(row("tflite-int8", 3.0, 400_000), FLOAT)
    assert sentence.endswith("no cause found in the file")


@pytest.mark.parametrize("name", ["tflite-int8-pruned", "tflite-int8-clustered"])
def test_pruned_and_clustered_weights_are_stored_dense(name: str) -> None:
    plain = row("tflite-int8", 3.0, 254_000, gzip_bytes=230_000)
    (sentence,) = sentences(row(name, 3.0, 253_000, gzip_bytes=100_000), plain)
    assert sentence == (
        "about as large as tflite-int8 (253.0 and 254.0 kB): weights are stored dense, one byte "
        "each; gzip is where it shows, 100.0 instead of 230.0 kB"
    )
    assert sentences(row("tflite-int8-qat", 3.0, 253_000, gzip_bytes=100_000), plain) == ()


@pytest.mark.parametrize("kept", [True, False])
def test_training_that_did_not_pay_is_told(kept: bool) -> None:
    trained = row("tflite-int8-qat", 3.0, 254_000)
    assert trained.variant.manifest is not None
    found = FineTuning(before=0.9, after=0.901, standard_error=0.001, kept=kept)
    manifest = replace(trained.variant.manifest, fine_tuning=found)
    told = sentences(replace(trained, variant=replace(trained.variant, manifest=manifest)), FLOAT)
    assert (
        told == ()
        if kept
        else told
        == (
            "not fine-tuned, and so the same as tflite-int8: on held-out examples training for "
            "quantization gained +0.10 points, standard error 0.10, no more than chance",
        )
    )


PRUNED, CLUSTERED, BOTH = (
    row(f"tflite-int8-{name}", 3.0, size_bytes, gzip_bytes=gzip_bytes)
    for name, size_bytes, gzip_bytes in (
        ("pruned", 254_000, 142_900),
        ("clustered", 250_000, 129_900),
        ("pruned-clustered", 250_000, 91_000),
    )
)
INT8 = row("tflite-int8", 3.0, 254_000, gzip_bytes=224_400)


def test_rows_with_the_same_finding_share_a_sentence() -> None:
    found = explain([FLOAT, INT8, PRUNED, CLUSTERED, BOTH], ENVIRONMENT, OVERHEAD)
    assert grouped(found) == [
        "tflite-int8-pruned, -clustered, -pruned-clustered: about as large as tflite-int8 (254.0, "
        "250.0, 250.0 and 254.0 kB): weights are stored dense, one byte each; gzip is where it "
        "shows, 142.9, 129.9, 91.0 instead of 224.4 kB"
    ]


def test_a_finding_of_one_row_is_its_own_sentence() -> None:
    found = explain([FLOAT, INT8, PRUNED, ONNX_FLOAT], ENVIRONMENT, OVERHEAD)
    assert grouped(found) == [f"{each.row}: {each.sentence}" for each in found]


def test_a_cause_that_is_not_of_all_rows_names_those_that_it_is_of() -> None:
    """Both are slower than on LiteRT; the call overhead is most of what one of them takes."""
    slow = row("onnx-int8", 40.0, 254_000, runs=("QuantizeLinear", "Gemm"))
    found = explain([FLOAT, INT8, ONNX_FLOAT, slow], ENVIRONMENT, OVERHEAD)
    assert (
        "onnx-float32, -int8: 2.3, 13.3 × slower than tflite-float32, -int8 on LiteRT (9.0, 40.0 "
        "and 4.0, 3.0 µs): a call that computes nothing costs 5.0 µs on ONNX Runtime, 1.0 on "
        "LiteRT, which is 4.0 of the 5.0 µs between them (onnx-float32); 1 QuantizeLinear among "
        "the 2 operators that ONNX Runtime runs (onnx-int8)"
    ) in grouped(found)


def test_of_many_numbers_the_smallest_and_the_largest_are_said() -> None:
    pruned = [
        row(f"tflite-int8-{name}", 3.0, size_bytes, gzip_bytes=100_000)
        for name, size_bytes in (("pruned", 1_254_000), ("clustered", 1_099_000))
    ]
    twice = [replace(each, size_bytes=1_100_000) for each in pruned]
    base = replace(INT8, size_bytes=1_254_000)
    (sentence,) = grouped(explain([base, *pruned, *twice], ENVIRONMENT, OVERHEAD))
    assert "(1,099.0 to 1,254.0 and 1,254.0 kB)" in sentence
    assert "gzip is where it shows, 100.0 instead of 224.4 kB" in sentence


def test_no_explanations_make_no_sentence() -> None:
    assert grouped(()) == []
