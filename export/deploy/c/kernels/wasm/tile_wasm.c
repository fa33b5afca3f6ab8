/* The same with WebAssembly's SIMD. */
#if defined(__wasm_simd128__)
#define MODEL_TILE 2u
#define MODEL_TILE_NUMBER(value) wasm_i32x4_splat(value)
#define MODEL_TILE_BYTE(value) wasm_i8x16_splat((int8_t)(value))
#define MODEL_TILE_STORE(y, found) wasm_v128_store(y, found)
typedef int16_t model_tile_weight;
typedef v128_t model_tile_bytes;
struct model_sums {
    v128_t part[4];
};
struct model_factors {
    v128_t start[4], multiplier[4], left[4], right[4], none[4], down[4], zero, low, high;
    int twice, ups, signs, limits;
};

static inline void model_factors(struct model_factors *f, const int32_t *bias,
                                 const int32_t *multiplier, const int32_t *shift)
{
    for (int i = 0; i < 4; i++) {
        int32_t left[4], right[4], by[4]; /* powers of two, for shifts to the left and right */
        for (int j = 0; j < 4; j++) {
            const int given = shift[4 * i + j];
            by[j] = f->twice ? (given < 0 ? -given : 0) : -1 - given;
            left[j] = given > 0 ? (int32_t)((uint32_t)1 << given) : 1;
            right[j] = by[j] > 0 ? (int32_t)((uint32_t)1 << (31 - by[j])) : 0;
        }
        f->start[i] = wasm_v128_load(bias + 4 * i);
        f->multiplier[i] = wasm_v128_load(multiplier + 4 * i);
        f->left[i] = wasm_v128_load(left);
        f->right[i] = wasm_v128_load(right);
        f->none[i] = wasm_i32x4_eq(wasm_v128_load(by), wasm_i32x4_const_splat(0));
        f->down[i] = wasm_i32x4_lt(wasm_v128_load(shift + 4 * i), wasm_i32x4_const_splat(0));
    }
}

static inline v128_t model_tile_scale(struct model_sums s, const struct model_factors *f)
{
    v128_t found[4];
    for (int i = 0; i < 4; i++) {
        const v128_t x = f->ups ? wasm_i32x4_mul(s.part[i], f->left[i]) : s.part[i];
        v128_t high = f->twice ? model_rounded(x, f->multiplier[i])
                               : model_upper(x, f->multiplier[i]);
        if (f->signs) {
            high = wasm_i32x4_add(high, wasm_v128_and(wasm_i32x4_shr(high, 31), f->down[i]));
        }
        high = wasm_v128_bitselect(high, model_rounded(high, f->right[i]), f->none[i]);
        found[i] = wasm_i32x4_add(high, f->zero);
    }
    const v128_t y = model_narrow_four(found);
    return f->limits ? wasm_i8x16_min(wasm_i8x16_max(y, f->low), f->high) : y;
}

/* In 16 bits: of each four inputs the first two of sixteen rows, then the other two. */
static inline const model_tile_weight *model_tile_weights(const int8_t *packed,
                                                          model_tile_weight *room, unsigned groups,
                                                          struct model_factors *f)
{
    (void)f;
    for (unsigned k = 0; k < groups; k++) {
        for (unsigned i = 0; i < 4u; i++) {
            const v128_t given = wasm_v128_load(packed + 64u * k + 16u * i);
            const v128_t low = wasm_i16x8_extend_low_i8x16(given);
            const v128_t high = wasm_i16x8_extend_high_i8x16(given);
            model_tile_weight *const to = room + 64u * k + 8u * i;
            wasm_v128_store(to, wasm_i32x4_shuffle(low, high, 0, 2, 4, 6));
            wasm_v128_store(to + 32, wasm_i32x4_shuffle(low, high, 1, 3, 5, 7));
        }
    }
    return room;
}

static inline __attribute__((always_inline)) void
model_tile_sums(const int8_t *x, size_t apart, const model_tile_weight *w, unsigned groups,
                struct model_sums *sums, const struct model_factors *f, const unsigned count)
{
    v128_t s[MODEL_TILE][4];
    MODEL_UNROLLED
    for (unsigned p = 0; p < count; p++) {
        MODEL_UNROLLED
        for (int i = 0; i < 4; i++) {
            s[p][i] = f->start[i];
        }
    }
    for (unsigned k = 0; k < groups; k++, x += 4, w += 64) {
        MODEL_UNROLLED
        for (unsigned p = 0; p < count; p++) {
            const v128_t given = wasm_i16x8_extend_low_i8x16(wasm_v128_load32_splat(x + p * apart));
            const v128_t u = wasm_i32x4_shuffle(given, given, 0, 0, 0, 0);
            const v128_t v = wasm_i32x4_shuffle(given, given, 1, 1, 1, 1);
            MODEL_UNROLLED
            for (int i = 0; i < 4; i++) {
                const v128_t both =
                    wasm_i32x4_add(wasm_i32x4_dot_i16x8(wasm_v128_load(w + 8 * i), u),
                                   wasm_i32x4_dot_i16x8(wasm_v128_load(w + 32 + 8 * i), v));
                s[p][i] = wasm_i32x4_add(s[p][i], both);
            }
        }
    }
    MODEL_UNROLLED
    for (unsigned p = 0; p < count; p++) {
        MODEL_UNROLLED
        for (int i = 0; i < 4; i++) {
            sums[p].part[i] = s[p][i];
        }
    }
}
#endif
