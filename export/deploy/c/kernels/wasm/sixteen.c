/* Sixteen channels at once, with WebAssembly's SIMD. */
#include <wasm_simd128.h>
#define MODEL_UNROLLED _Pragma("clang loop unroll(full)")

/* What sums of 16 channels become, block by block: 16 biases, 16 multipliers, 16 powers of two that
 * shift to the right, and, where some factor is not below 1/2, 16 that shift to the left. */
struct model_sixteen {
    const int32_t *factors;
    int zero, low, high; /* of the output: its zero point and limits */
};
#define MODEL_FACTORS(ups) (16u * ((ups) ? 4u : 3u))

/* (a * b + more) / 2^31 of four numbers, rounded down; with b = 2^(31 - n) a shift to the right by
 * n, which numbers side by side have no other way to do. */
static inline v128_t model_product4(v128_t a, v128_t b, v128_t more)
{
    const v128_t low = wasm_i64x2_add(wasm_i64x2_extmul_low_i32x4(a, b),
                                      wasm_u64x2_extend_low_u32x4(more));
    const v128_t high = wasm_i64x2_add(wasm_i64x2_extmul_high_i32x4(a, b),
                                       wasm_u64x2_extend_high_u32x4(more));
    return wasm_i32x4_shuffle(wasm_i64x2_shl(low, 1), wasm_i64x2_shl(high, 1), 1, 3, 5, 7);
}

/* 16 outputs. Dense layers round once, others twice: the product first, then halves away from zero;
 * but once where the left shift is by one more than the factor's, and the right by one. */
static v128_t model_scaled(const v128_t *sum, const int32_t *factors,
                           const struct model_sixteen *to, const int twice, const int ups)
{
    const v128_t half = wasm_i32x4_const_splat(1 << 30);
    v128_t found[4];
    for (int i = 0; i < 4; i++, factors += 4) {
        v128_t x = sum[i], more = wasm_i32x4_splat(twice ? 1 << 30 : 0), high;
        if (ups) {
            const v128_t left = wasm_v128_load(factors + 48);
            x = wasm_i32x4_mul(x, left);
            more = wasm_v128_andnot(more, wasm_i32x4_gt(left, wasm_i32x4_const_splat(1)));
        }
        high = model_product4(x, wasm_v128_load(factors + 16), more);
        more = wasm_u32x4_shr(wasm_v128_and(wasm_i32x4_shr(high, 31), more), 30);
        high = model_product4(wasm_i32x4_sub(high, more), wasm_v128_load(factors + 32), half);
        found[i] = wasm_i32x4_add(high, wasm_i32x4_splat(to->zero));
    }
    return wasm_i8x16_min(
        wasm_i8x16_max(wasm_i8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4(found[0], found[1]),
                                               wasm_i16x8_narrow_i32x4(found[2], found[3])),
                       wasm_i8x16_splat((int8_t)to->low)),
        wasm_i8x16_splat((int8_t)to->high));
}

/* Stores the first `count` outputs, or 16. */
static void model_store(int8_t *y, v128_t found, unsigned count)
{
    if (count >= 16u) {
        wasm_v128_store(y, found);
        return;
    }
    if (count & 8u) {
        wasm_v128_store64_lane(y, found, 0);
        found = wasm_i64x2_shuffle(found, found, 1, 1);
        y += 8;
    }
    if (count & 4u) {
        wasm_v128_store32_lane(y, found, 0);
        found = wasm_u64x2_shr(found, 32);
        y += 4;
    }
    if (count & 2u) {
        wasm_v128_store16_lane(y, found, 0);
        found = wasm_u64x2_shr(found, 16);
        y += 2;
    }
    if (count & 1u) {
        wasm_v128_store8_lane(y, found, 0);
    }
}

/* Copies n bytes, or repeats 16 if `step` is 0; up to 15 more are read, and written. */
static inline void model_put(int8_t *to, const int8_t *from, int n, int step)
{
    for (; n > 0; n -= 16, to += 16, from += step) {
        wasm_v128_store(to, wasm_v128_load(from));
    }
}
