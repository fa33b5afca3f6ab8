"""The table of trained networks, and what in it is beyond a limit."""

from collections.abc import Iterator, Sequence

from tests.zoo.trained.run import Export, Trained

# Accuracy that may be lost on the test images, and shares that have to be in int8.
MOST_LOST = {"int8": 0.005, "int8-mixed": 0.002}
LEAST_INTEGER = 0.7  # of the multiplications of a mixed file
MOST_SECONDS = 600.0
NOTE = """\
    acc: on all test images; lost: points, against Keras; mult., bytes: shares of multiplications
    and of the weights' bytes in int8; float: operators; tried: mixtures; s: of the command.
    Limits: {int8:g} points for int8, {mixed:g} for mixed; {share:.0%} of the multiplications;
    {seconds:g} s."""
HEAD = (
    "    network          format             acc %   lost  mult.  bytes  float  tried    s  method"
)


def trained_table(rows: Sequence[Trained]) -> str:
    """Returns the table, a block for each network."""
    lines = [HEAD, f"    {'─' * (len(HEAD) + 3)}"]
    for row in rows:
        lines.append(f"    {row.name:16} Keras              {100 * row.accuracy:5.2f}")
        lines += [f"    {'':16} {_line(row, form, found)}" for form, found in row.exports.items()]
    note = NOTE.format(
        int8=100 * MOST_LOST["int8"],
        mixed=100 * MOST_LOST["int8-mixed"],
        share=LEAST_INTEGER,
        seconds=MOST_SECONDS,
    )
    return "\n".join([*lines, note])


def _line(row: Trained, form: str, found: Export) -> str:
    if found.accuracy is None:
        return f"{form:18} not made: {found.reason}"
    lost = 100 * (row.accuracy - found.accuracy)
    return (
        f"{form:18} {100 * found.accuracy:5.2f} {lost:+6.2f} {_share(found.multiplications)} "
        f"{_share(found.bytes)} {_count(found.in_float)} {_count(found.tried)} "
        f"{found.seconds:4.0f} {found.method}"
    )


def _share(value: float | None) -> str:
    return "      " if value is None else f"{value:6.1%}"


def _count(value: int | None) -> str:
    return "      " if value is None else f"{value:6}"


def beyond(rows: Sequence[Trained]) -> Iterator[str]:
    """Yields what is beyond a limit, a sentence each."""
    for row in rows:
        for form, found in row.exports.items():
            who = f"{row.name} {form}"
            if found.accuracy is None:
                yield f"{who} was not made: {found.reason}"
                continue
            most = MOST_LOST[form.partition("-")[2]]
            lost = row.accuracy - found.accuracy
            if lost > most + 1e-9:
                yield f"{who} loses {100 * lost:.2f} points, expected at most {100 * most:g}"
            share = found.multiplications
            if share is not None and share < LEAST_INTEGER:
                yield f"{who} has {share:.0%} of the multiplications in int8, expected 70 %"
            if found.seconds > MOST_SECONDS:
                yield f"{who} took {found.seconds:.0f} s, expected at most {MOST_SECONDS:g}"
