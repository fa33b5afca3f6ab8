"""A run as a gate in CI: what fails it, as JUnit XML, and as GitHub's summary of a step."""
