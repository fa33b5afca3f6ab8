#if defined(__wasm_simd128__)
#include <wasm_simd128.h>
/* What makes loops fast where code is to be small: those of known lengths, whose numbers stay in
 * registers so; and sums. */
#define MODEL_UNROLLED _Pragma("clang loop unroll(full)")
#define MODEL_VECTORIZED _Pragma("clang loop vectorize(enable)")

/* a * b / 2^32 of four numbers, rounded down. */
static inline v128_t model_upper(v128_t a, v128_t b)
{
    return wasm_i32x4_shuffle(wasm_i64x2_extmul_low_i32x4(a, b),
                              wasm_i64x2_extmul_high_i32x4(a, b), 1, 3, 5, 7);
}

/* a * b / 2^31 of four numbers, rounded, halves up; with b = 2^(31 - n) a shift to the right by n,
 * which numbers side by side have no other way to do. */
static inline v128_t model_rounded(v128_t a, v128_t b)
{
    const v128_t half = wasm_i64x2_const_splat((int64_t)1 << 30);
    const v128_t low = wasm_i64x2_add(wasm_i64x2_extmul_low_i32x4(a, b), half);
    const v128_t high = wasm_i64x2_add(wasm_i64x2_extmul_high_i32x4(a, b), half);
    return wasm_i32x4_shuffle(wasm_i64x2_shl(low, 1), wasm_i64x2_shl(high, 1), 1, 3, 5, 7);
}

static inline v128_t model_narrow_four(const v128_t *found)
{
    return wasm_i8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4(found[0], found[1]),
                                   wasm_i16x8_narrow_i32x4(found[2], found[3]));
}
#endif
