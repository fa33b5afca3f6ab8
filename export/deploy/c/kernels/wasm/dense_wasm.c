#if defined(__wasm_simd128__)
/* Adds the products of `count` groups of four inputs, two groups at a time, with the weights of
 * `blocks` times four rows. `x` holds the groups one behind the other, `place` where each stood. */
static inline __attribute__((always_inline)) void
model_dot_nonzero(const int16_t *x, const uint16_t *place, unsigned count, const int8_t *w,
                  unsigned n, int32_t *sum, const unsigned blocks)
{
    v128_t low[MODEL_BLOCKS], high[MODEL_BLOCKS]; /* halves of the sums of two rows each */
    const unsigned rest = n % 4u;
    unsigned b;
    MODEL_UNROLLED
    for (b = 0; b < blocks; b++) {
        low[b] = high[b] = wasm_i32x4_const_splat(0);
    }
    for (unsigned k = 0; k < count; k += 2u) {
        const v128_t u = wasm_v128_load64_splat(x + 4u * k);
        const v128_t v = wasm_v128_load64_splat(x + 4u * k + 4u);
        const int8_t *const p = w + 16u * place[k], *const q = w + 16u * place[k + 1u];
        MODEL_UNROLLED
        for (b = 0; b < blocks; b++) {
            const size_t at = b * 4u * (size_t)n;
            low[b] = wasm_i32x4_add(low[b], wasm_i32x4_add(MODEL_PRODUCTS(p + at, u),
                                                           MODEL_PRODUCTS(q + at, v)));
            high[b] = wasm_i32x4_add(high[b], wasm_i32x4_add(MODEL_PRODUCTS(p + at + 8, u),
                                                             MODEL_PRODUCTS(q + at + 8, v)));
        }
    }
    count += count % 2u;
    MODEL_UNROLLED
    for (b = 0; b < blocks; b++, sum += 4) {
        const int8_t *left = w + (b + 1u) * 4u * (size_t)n - 4u * rest;
        const v128_t all = wasm_i32x4_add(wasm_i32x4_shuffle(low[b], high[b], 0, 2, 4, 6),
                                          wasm_i32x4_shuffle(low[b], high[b], 1, 3, 5, 7));
        wasm_v128_store(sum, wasm_i32x4_add(wasm_v128_load(sum), all));
        for (unsigned k = 0; k < 4u * rest; k++) {
            sum[k / rest] += x[4u * count + k % rest] * left[k];
        }
    }
}

/* model_dense of one position, without the inputs that are the zero point, as many are behind a
 * ReLU and of what is black. The bias has no share of the zero point's here. */
static void model_dense_nonzero(const int8_t *x, int8_t *y, int16_t *some, unsigned n,
                                unsigned channels, int zero, const struct model_channels *to)
{
    const unsigned groups = n / 4u, rest = n % 4u;
    uint16_t *const place = (uint16_t *)some + n + 8u;
    const v128_t zeros = wasm_i16x8_splat((int16_t)zero);
    const uint32_t none = 0x01010101u * (uint8_t)zero;
    const int8_t *w = to->weights;
    unsigned count = 0, i = 0, j;
    for (unsigned k = 0; k < groups; k++) {
        uint32_t given;
        memcpy(&given, x + 4u * k, sizeof given);
        const v128_t wide = wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(x + 4u * k));
        wasm_v128_store64_lane(some + 4u * count, wasm_i16x8_sub(wide, zeros), 0);
        place[count] = (uint16_t)k;
        count += given != none;
    }
    memset(some + 4u * count, 0, 8); /* of an odd number, one that is none */
    place[count] = 0;
    for (j = 0; j < rest; j++) {
        some[4u * (count + count % 2u) + j] = (int16_t)(x[4u * groups + j] - zero);
    }
    for (; i + MODEL_ROWS <= channels; i += MODEL_ROWS, w += MODEL_ROWS * (size_t)n) {
        int32_t sum[MODEL_ROWS];
        for (j = 0; j < MODEL_ROWS; j++) {
            sum[j] = to->bias[i + j];
        }
        model_dot_nonzero(some, place, count, w, n, sum, MODEL_BLOCKS);
        model_outputs(sum, y + i, i, to);
    }
    for (; i + 4u <= channels; i += 4u, w += 4u * (size_t)n) {
        int32_t sum[4] = {to->bias[i], to->bias[i + 1u], to->bias[i + 2u], to->bias[i + 3u]};
        model_dot_nonzero(some, place, count, w, n, sum, 1);
        model_output4(sum, y + i, to, i);
    }
    for (; i < channels; i++, w += n) {
        v128_t all = wasm_i32x4_const_splat(0);
        int32_t sum = to->bias[i];
        for (unsigned k = 0; k < count; k++) {
            const v128_t u = wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(w + 4u * place[k]));
            const v128_t v = wasm_v128_load64_zero(some + 4u * k);
            all = wasm_i32x4_add(all, wasm_i32x4_dot_i16x8(u, v));
        }
        sum += wasm_i32x4_extract_lane(all, 0) + wasm_i32x4_extract_lane(all, 1);
        for (unsigned k = 0; k < rest; k++) {
            sum += some[4u * (count + count % 2u) + k] * w[4u * groups + k];
        }
        y[i] = model_output(sum, to, i);
    }
}
#endif
