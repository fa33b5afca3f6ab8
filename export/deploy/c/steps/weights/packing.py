"""Weights that take fewer bytes: few distinct values as indices of a table, zeros left out.

They are decoded in the inner loop, so that no memory is needed and zeros cost no multiplication.
"""

import re
from dataclasses import dataclass

import numpy as np

from export.formats.packages import OPTIMIZE

SIZE, SPEED = OPTIMIZE
PLAIN = "plain"  # not at all, for who packs them another way
BITS = (1, 2, 4)  # of an index
# Fewer bytes than a kernel's own code are not worth it.
LEAST_SAVED = 512
# Instructions of a Cortex-M4, by `make mcu`: for each weight as it is; without zeros for each
# place, and for each weight that is left. Indices take more in any case.
EACH, PLACE, LEFT = 1.5, 1.0, 9.0

TABLE = """\
    int8_t table[1u << @BITS@];
    for (unsigned i = 0; i < sizeof table; i++) {
        table[i] = (int8_t)*w++;
    }
"""
NEXT_WEIGHT = "(int8_t)*left++"
NEXT_INDEX = "table[(unsigned)left[count / {each}u] >> {bits}u * (count % {each}u) & {mask}u]"
KERNELS = tuple(f"{kind}:{bits}" for kind in ("indexed", "sparse") for bits in (*BITS, 8))


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A layer's weights.

    Attributes:
        kind: `indexed`, of places in a table, or `sparse`, without zeros.
        bits: of a weight, or of its place in the table.
        values: their bytes, int8 (n,).
    """

    kind: str
    bits: int
    values: np.ndarray

    @property
    def kernel(self) -> str:
        """The kernel that reads them, `sparse:4`."""
        return f"{self.kind}:{self.bits}"


def pack(rows: np.ndarray, optimize: str) -> Packed | None:
    """Returns weights (rows, n) int8 packed; None where they stay as they are.

    Args:
        rows: the weights of each output.
        optimize: `size`, what takes the fewest bytes; `speed`, what takes the fewest instructions;
            `plain`, as they are.
    """
    if optimize == PLAIN:
        return None
    best = min(candidates(rows), key=lambda packed: packed.values.size)
    if optimize == SPEED:
        dense = float(np.mean(rows != 0))
        return best if PLACE + LEFT * dense < EACH and best.kind == "sparse" else None
    return best if best.values.size + LEAST_SAVED < rows.size else None


def candidates(rows: np.ndarray) -> list[Packed]:
    """Returns all ways to pack weights (rows, n) int8, at least one."""
    found = [_sparse(rows, 8)]
    values = np.unique(rows)
    for bits in BITS:
        if len(values) <= 1 << bits:
            found.append(_indexed(rows, bits))
        if len(values[values != 0]) <= 1 << bits:
            found.append(_sparse(rows, bits))
    return found


def kernel_text(template: str, bits: int) -> str:
    """Returns a kernel that reads weights of some bits, made of `indexed.c` or `sparse.c`."""
    each, mask = 8 // bits, (1 << bits) - 1
    products = []
    for place in range(8):
        index = f"w[{place // each}] >> {place % each * bits} & {mask}u"
        products.append(f"            sum += v[{place}] * table[{index}];")
    texts = {
        "BITS": str(bits),
        "EACH": str(each),
        "MASK": str(mask),
        "PRODUCTS": "\n".join(products).replace(" >> 0", ""),
        "AS": "" if bits == 8 else f" as indices of {bits} bits, behind\n * a table of values",
        "TABLE": "" if bits == 8 else TABLE.replace("@BITS@", str(bits)),
        "COUNT": "" if bits == 8 else "        unsigned count = 0;\n",
        "THEN": "" if bits == 8 else "count++;",
        "SIZE": "" if bits == 8 else f" + (count + {each - 1}u) / {each}u",
        "NEXT": NEXT_WEIGHT if bits == 8 else NEXT_INDEX.format(each=each, bits=bits, mask=mask),
    }
    for key, text in texts.items():
        template = template.replace(f"@{key}@", text)
    return re.sub(r"\n +(?=\n)", "", template)


def _indexed(rows: np.ndarray, bits: int) -> Packed:
    table, places = _table(np.unique(rows), bits), np.searchsorted(np.unique(rows), rows)
    packed = [_together(row, bits) for row in places]
    return Packed(kind="indexed", bits=bits, values=_joined(table, *packed))


def _sparse(rows: np.ndarray, bits: int) -> Packed:
    """Returns a bit for each weight of a row, then the weights that are not zero."""
    values = np.unique(rows[rows != 0])
    parts = [] if bits == 8 else [_table(values, bits)]
    for row in rows:
        left = row[row != 0]
        parts.append(np.packbits(row != 0, bitorder="little"))
        parts.append(left if bits == 8 else _together(np.searchsorted(values, left), bits))
    return Packed(kind="sparse", bits=bits, values=_joined(*parts))


def _table(values: np.ndarray, bits: int) -> np.ndarray:
    return np.pad(values, (0, (1 << bits) - len(values)))


def _together(places: np.ndarray, bits: int) -> np.ndarray:
    """Returns numbers below 2^bits, (n,), several per byte, the first in the lowest bits."""
    per_byte = 8 // bits
    padded = np.pad(places, (0, -len(places) % per_byte)).reshape(-1, per_byte)
    packed: np.ndarray = (padded << (bits * np.arange(per_byte))).sum(axis=1)
    return packed.astype(np.uint8)


def _joined(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate([part.astype(np.int8, casting="unsafe") for part in parts])
