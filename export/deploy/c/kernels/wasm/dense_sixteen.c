/* Products of eight weights, two of each of four rows, with two inputs. */
#define MODEL_PRODUCTS(w, v) wasm_i32x4_dot_i16x8(wasm_i16x8_load8x8(w), v)

/* A dense layer of one position without the inputs that are the zero point, as many are behind a
 * ReLU and of what is black: the bias has no share of the zero point's. Of each four inputs that
 * are not all zero `some` holds the values, and behind all these the place. */
static void model_dense_sixteen(const int8_t *x, int8_t *y, int16_t *some, unsigned fours,
                                unsigned channels, int zero, const int8_t *w,
                                const struct model_sixteen *to, const int twice, const int ups)
{
    uint16_t *const place = (uint16_t *)some + 4u * fours + 8u;
    const int32_t *factors = to->factors;
    unsigned count = 0;
    for (unsigned k = 0; k < fours; k++) {
        const v128_t given = wasm_v128_load32_zero(x + 4u * k);
        const v128_t wide = wasm_i16x8_extend_low_i8x16(given);
        wasm_v128_store64_lane(some + 4u * count,
                               wasm_i16x8_sub(wide, wasm_i16x8_splat((int16_t)zero)), 0);
        place[count] = (uint16_t)k;
        count += (uint32_t)wasm_i32x4_extract_lane(given, 0) != 0x01010101u * (uint8_t)zero;
    }
    wasm_v128_store64_lane(some + 4u * count, wasm_i32x4_const_splat(0), 0); /* of an odd number */
    place[count] = 0;
    for (unsigned c = 0; c < channels; c += 16u) {
        v128_t s[4];
        MODEL_UNROLLED
        for (int i = 0; i < 4; i++) {
            s[i] = wasm_v128_load(factors + 4 * i);
        }
        for (unsigned k = 0; k < count; k += 2u) {
            const v128_t a = wasm_v128_load32_splat(some + 4u * k);
            const v128_t b = wasm_v128_load32_splat(some + 4u * k + 2u);
            const v128_t u = wasm_v128_load32_splat(some + 4u * k + 4u);
            const v128_t v = wasm_v128_load32_splat(some + 4u * k + 6u);
            const int8_t *const p = w + 16u * place[k], *const q = w + 16u * place[k + 1u];
            MODEL_UNROLLED
            for (unsigned i = 0; i < 4u; i++) {
                const size_t at = 16u * i * fours;
                const v128_t first = wasm_i32x4_add(MODEL_PRODUCTS(p + at, a),
                                                    MODEL_PRODUCTS(p + at + 8, b));
                const v128_t second = wasm_i32x4_add(MODEL_PRODUCTS(q + at, u),
                                                     MODEL_PRODUCTS(q + at + 8, v));
                s[i] = wasm_i32x4_add(s[i], wasm_i32x4_add(first, second));
            }
        }
        model_store(y + c, model_scaled(s, factors, to, twice, ups), channels - c);
        w += 64u * fours;
        factors += MODEL_FACTORS(ups);
    }
}
