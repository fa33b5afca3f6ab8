"""A run as a gate in CI: what fails it, as JUnit XML, and as GitHub's summary of a step."""

# What exit code 1 may be for.
FAIL, INCONCLUSIVE, REGRESSION = FAIL_ON = ("fail", "inconclusive", "regression")
