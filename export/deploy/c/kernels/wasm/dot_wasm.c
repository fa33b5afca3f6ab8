/* Sums of products with WebAssembly's SIMD, as below. */
#if defined(__wasm_simd128__)
#define MODEL_BLOCKS 4
#define MODEL_ROWS 16u
#define MODEL_STEP 8
/* Products of eight weights, two of each of four rows, with four inputs twice. */
#define MODEL_PRODUCTS(w, v) wasm_i32x4_dot_i16x8(wasm_i16x8_load8x8(w), v)
static inline __attribute__((always_inline)) unsigned
model_dot_fast(const int8_t *x, const int8_t *w, unsigned n, int32_t *sum, const unsigned blocks)
{
    v128_t low[MODEL_BLOCKS], high[MODEL_BLOCKS]; /* halves of the sums of two rows each */
    unsigned k, b;
    MODEL_UNROLLED
    for (b = 0; b < blocks; b++) {
        low[b] = high[b] = wasm_i32x4_const_splat(0);
    }
    for (k = 0; k + 8u <= n; k += 8u) {
        const v128_t given = wasm_i16x8_load8x8(x + k);
        const v128_t u = wasm_i64x2_shuffle(given, given, 0, 0);
        const v128_t v = wasm_i64x2_shuffle(given, given, 1, 1);
        MODEL_UNROLLED
        for (b = 0; b < blocks; b++) {
            const int8_t *p = w + b * 4u * (size_t)n + 4u * k;
            low[b] = wasm_i32x4_add(low[b], wasm_i32x4_add(MODEL_PRODUCTS(p, u),
                                                           MODEL_PRODUCTS(p + 16, v)));
            high[b] = wasm_i32x4_add(high[b], wasm_i32x4_add(MODEL_PRODUCTS(p + 8, u),
                                                             MODEL_PRODUCTS(p + 24, v)));
        }
    }
    MODEL_UNROLLED
    for (b = 0; b < blocks; b++) {
        const v128_t all = wasm_i32x4_add(wasm_i32x4_shuffle(low[b], high[b], 0, 2, 4, 6),
                                          wasm_i32x4_shuffle(low[b], high[b], 1, 3, 5, 7));
        wasm_v128_store(sum + 4u * b, wasm_i32x4_add(wasm_v128_load(sum + 4u * b), all));
    }
    return k;
}

/* model_scale_once of 16 sums where all shifts are below -1: the upper half of each product is
 * rounded and shifted; then the zero point and the limits. */
static inline void model_scale_rows(const int32_t *sum, int8_t *y, const int32_t *multiplier,
                                    const int8_t *shift, int zero, int low, int high)
{
    v128_t found[4];
    for (unsigned i = 0; i < 4u; i++) {
        int32_t power[4];
        for (unsigned j = 0; j < 4u; j++) {
            power[j] = (int32_t)1 << (32 + shift[4u * i + j]);
        }
        const v128_t upper =
            model_upper(wasm_v128_load(sum + 4u * i), wasm_v128_load(multiplier + 4u * i));
        found[i] = wasm_i32x4_add(model_rounded(upper, wasm_v128_load(power)),
                                  wasm_i32x4_splat(zero));
    }
    wasm_v128_store(y, wasm_i8x16_min(wasm_i8x16_max(model_narrow_four(found),
                                                     wasm_i8x16_splat((int8_t)low)),
                                      wasm_i8x16_splat((int8_t)high)));
}
#endif
