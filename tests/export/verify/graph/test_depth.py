"""How many layers are in series."""

from export.verify.graph.depth import Step, longest_path


def step(inputs: str, output: str, layer: str = "") -> Step:
    return inputs.split(), [output], frozenset([layer] if layer else [])


def test_layers_in_series_count_and_branches_do_not() -> None:
    chain = [step("x", "a", "A"), step("a", "b"), step("b", "c", "B"), step("x", "d", "D")]
    assert longest_path(chain) == 2
    assert longest_path([*chain, step("c d", "e"), step("e", "f", "F")]) == 3


def test_time_steps_and_gates_are_one_layer() -> None:
    steps = [step("x", "w", "W")]
    state = "w"
    for time in range(20):
        steps += [step(state, f"{gate}{time}", gate) for gate in "ifco"]
        steps.append(step(" ".join(f"{gate}{time}" for gate in "ifco"), f"h{time}"))
        state = f"h{time}"
    assert longest_path([*steps, step(state, "y", "head")]) == 3


def test_what_multiplies_nothing_has_no_depth() -> None:
    assert longest_path([step("x", "y")]) == longest_path([]) == 0
