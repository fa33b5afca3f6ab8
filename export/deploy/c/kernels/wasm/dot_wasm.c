/* Sums of products with WebAssembly's SIMD, as below. */
#define MODEL_BLOCKS 1
#define MODEL_STEP 4
static inline unsigned model_dot_fast(const int8_t *x, const int8_t *w, unsigned n, int32_t *sum,
                                      const unsigned blocks)
{
    v128_t low = wasm_i32x4_const_splat(0), high = low; /* halves of the sums of two rows each */
    unsigned k;
    (void)blocks;
    for (k = 0; k + 4u <= n; k += 4u, w += 16) {
        const v128_t given = wasm_i16x8_extend_low_i8x16(wasm_v128_load32_splat(x + k));
        low = wasm_i32x4_add(low, wasm_i32x4_dot_i16x8(wasm_i16x8_load8x8(w), given));
        high = wasm_i32x4_add(high, wasm_i32x4_dot_i16x8(wasm_i16x8_load8x8(w + 8), given));
    }
    const v128_t all = wasm_i32x4_add(wasm_i32x4_shuffle(low, high, 0, 2, 4, 6),
                                      wasm_i32x4_shuffle(low, high, 1, 3, 5, 7));
    wasm_v128_store(sum, wasm_i32x4_add(wasm_v128_load(sum), all));
    return k;
}
