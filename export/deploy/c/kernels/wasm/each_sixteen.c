/* Outputs of `count` positions whose inputs and outputs are so far apart, two positions at a time.
 * The weights: of four channels all inputs, then of the next four; of each four inputs the first
 * two of each channel, then the other two. */
static void model_each_sixteen(const int8_t *x, int8_t *y, size_t apart, size_t y_apart,
                               unsigned count, unsigned fours, unsigned channels, const int16_t *w,
                               const int32_t *factors, const struct model_sixteen *to,
                               const int twice, const int ups)
{
    for (unsigned c = 0; c < channels; c += 16u) {
        for (unsigned p = 0; p < count; p += 2u) {
            const size_t more = p + 1u < count; /* of an odd number the last one twice */
            const int8_t *a = x + p * apart, *b = a + more * apart;
            v128_t s[2][4];
            MODEL_UNROLLED
            for (int i = 0; i < 4; i++) {
                s[0][i] = s[1][i] = wasm_v128_load(factors + 4 * i);
            }
            const int16_t *weights = w;
            for (unsigned k = 0; k < fours; k++, a += 4, b += 4, weights += 16) {
                MODEL_UNROLLED
                for (int j = 0; j < 2; j++) {
                    const v128_t given =
                        wasm_i16x8_extend_low_i8x16(wasm_v128_load32_splat(j ? b : a));
                    const v128_t u = wasm_i32x4_shuffle(given, given, 0, 0, 0, 0);
                    const v128_t v = wasm_i32x4_shuffle(given, given, 1, 1, 1, 1);
                    MODEL_UNROLLED
                    for (unsigned i = 0; i < 4u; i++) {
                        const int16_t *const four = weights + 16u * i * fours;
                        const v128_t both =
                            wasm_i32x4_add(wasm_i32x4_dot_i16x8(wasm_v128_load(four), u),
                                           wasm_i32x4_dot_i16x8(wasm_v128_load(four + 8), v));
                        s[j][i] = wasm_i32x4_add(s[j][i], both);
                    }
                }
            }
            for (unsigned j = 0; j < 2u; j++) {
                model_store(y + (p + j * more) * y_apart + c,
                            model_scaled(s[j], factors, to, twice, ups), channels - c);
            }
        }
        w += 64u * fours;
        factors += MODEL_FACTORS(ups);
    }
}
