#if defined(MODEL_TILE) && defined(__wasm_simd128__)
typedef struct {
    v128_t eight[2];
} model_tile_pair; /* weights of two places, side by side, of eight channels */

/* The bytes of two places, side by side. */
#define MODEL_SIDE(a, b, at)                                                                       \
    wasm_i8x16_shuffle(a, b, at, at + 16, at + 1, at + 17, at + 2, at + 18, at + 3, at + 19,       \
                       at + 4, at + 20, at + 5, at + 21, at + 6, at + 22, at + 7, at + 23)

/* Sums of the products of 16 channels at `2 * pairs` places, from channel c on. */
static inline __attribute__((always_inline)) struct model_sums
model_depthwise_sums(const int8_t *const *place, int c, const model_tile_pair *w,
                     const struct model_factors *f, const int pairs)
{
    struct model_sums s = {{f->start[0], f->start[1], f->start[2], f->start[3]}};
    for (int i = 0; i < 2 * pairs; i += 2) {
        const v128_t a = wasm_v128_load(place[i] + c), b = wasm_v128_load(place[i + 1] + c);
        const v128_t both[2] = {MODEL_SIDE(a, b, 0), MODEL_SIDE(a, b, 8)};
        MODEL_UNROLLED
        for (int j = 0; j < 2; j++) {
            const v128_t low = wasm_i16x8_extend_low_i8x16(both[j]);
            const v128_t high = wasm_i16x8_extend_high_i8x16(both[j]);
            s.part[2 * j] = wasm_i32x4_add(s.part[2 * j],
                                           wasm_i32x4_dot_i16x8(low, w[i + j].eight[0]));
            s.part[2 * j + 1] = wasm_i32x4_add(s.part[2 * j + 1],
                                               wasm_i32x4_dot_i16x8(high, w[i + j].eight[1]));
        }
    }
    return s;
}

/* The weights of 16 channels, or fewer, in 16 bits: two places of each side by side. */
static void model_depthwise_weights(const int8_t *w, int channels, int taps, unsigned rows,
                                    model_tile_pair *weights)
{
    for (int t = 0; t < taps; t += 2) {
        int8_t some[2][16] = {{0}}; /* an odd number's last place has weight 0 */
        for (int j = 0; j < 2 && t + j < taps; j++) {
            memcpy(some[j], w + (t + j) * channels, rows);
        }
        const v128_t a = wasm_v128_load(some[0]), b = wasm_v128_load(some[1]);
        const v128_t both[2] = {MODEL_SIDE(a, b, 0), MODEL_SIDE(a, b, 8)};
        for (int j = 0; j < 2; j++) {
            weights[t + j].eight[0] = wasm_i16x8_extend_low_i8x16(both[j]);
            weights[t + j].eight[1] = wasm_i16x8_extend_high_i8x16(both[j]);
        }
    }
}
#endif
