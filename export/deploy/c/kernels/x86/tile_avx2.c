/* The same with AVX2. */
#if defined(__AVX2__) && !defined(MODEL_TILE)
#include <immintrin.h>
#define MODEL_TILE 4u /* positions whose sums stand in registers */
#define MODEL_TILE_BLOCKS 1u
#define MODEL_TILE_NUMBER(value) _mm256_set1_epi32(value)
#define MODEL_TILE_BYTE(value) _mm_set1_epi8((char)(value))
#define MODEL_TILE_STORE(y, found) _mm_storeu_si128((__m128i *)(void *)(y), found)
typedef int16_t model_tile_weight;
typedef __m128i model_tile_bytes;
struct model_sums {
    __m256i half[2];
};
struct model_factors {
    __m256i start[2], even[2], odd[2], left[2], right[2], half[2], down[2], zero;
    __m128i low, high;
    int twice, ups, signs, limits;
};

/* What 16 channels start with, and their factors. */
static inline void model_factors(struct model_factors *f, const int32_t *bias,
                                 const int32_t *multiplier, const int32_t *shift)
{
    const __m256i none = _mm256_setzero_si256();
    for (int i = 0; i < 2; i++) {
        const __m256i by = _mm256_loadu_si256((const __m256i *)(const void *)(shift + 8 * i));
        f->start[i] = _mm256_loadu_si256((const __m256i *)(const void *)(bias + 8 * i));
        f->even[i] = _mm256_loadu_si256((const __m256i *)(const void *)(multiplier + 8 * i));
        f->odd[i] = _mm256_srli_epi64(f->even[i], 32);
        f->left[i] = _mm256_max_epi32(by, none);
        f->right[i] = _mm256_sub_epi32(_mm256_set1_epi32(f->twice ? 0 : -1), by);
        f->right[i] = _mm256_max_epi32(f->right[i], none);
        f->half[i] = _mm256_srli_epi32(_mm256_sllv_epi32(_mm256_set1_epi32(1), f->right[i]), 1);
        f->down[i] = _mm256_cmpgt_epi32(none, by);
    }
}

/* model_scale of 16 sums, or model_scale_once where all shifts are below -1; then the zero point
 * and the limits. */
static inline __m128i model_tile_scale(struct model_sums s, const struct model_factors *f)
{
    __m256i found[2];
    for (int i = 0; i < 2; i++) {
        const __m256i x = f->ups ? _mm256_sllv_epi32(s.half[i], f->left[i]) : s.half[i];
        __m256i even = _mm256_mul_epi32(x, f->even[i]);
        __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64(x, 32), f->odd[i]), high;
        if (f->twice) {
            const __m256i half = _mm256_set1_epi64x((int64_t)1 << 30);
            even = _mm256_srli_epi64(_mm256_add_epi64(even, half), 31);
            odd = _mm256_slli_epi64(_mm256_add_epi64(odd, half), 1);
        } else {
            even = _mm256_srli_epi64(even, 32);
        }
        high = _mm256_blend_epi32(even, odd, 0xAA);
        if (f->signs) {
            const __m256i signs = _mm256_and_si256(_mm256_srai_epi32(high, 31), f->down[i]);
            high = _mm256_add_epi32(high, signs);
        }
        high = _mm256_srav_epi32(_mm256_add_epi32(high, f->half[i]), f->right[i]);
        found[i] = _mm256_add_epi32(high, f->zero);
    }
    found[0] = _mm256_permute4x64_epi64(_mm256_packs_epi32(found[0], found[1]), 0xD8);
    const __m128i y = _mm_packs_epi16(_mm256_castsi256_si128(found[0]),
                                      _mm256_extracti128_si256(found[0], 1));
    return f->limits ? _mm_min_epi8(_mm_max_epi8(y, f->low), f->high) : y;
}

/* What the sums start with and two times eight more. */
static inline void model_sums_of(struct model_sums *sums, const struct model_factors *f, __m256i a,
                                 __m256i b)
{
    sums->half[0] = _mm256_add_epi32(f->start[0], a);
    sums->half[1] = _mm256_add_epi32(f->start[1], b);
}

/* Adds the products of pairs. */
static inline __m256i model_pairs(__m256i sum, __m256i a, __m256i b)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}

/* Of each four weights of a row, the first two, then the other two, in 16 bits. */
static inline const model_tile_weight *model_tile_weights(const int8_t *packed,
                                                          model_tile_weight *room, unsigned groups,
                                                          struct model_factors *f)
{
    const __m128i order = _mm_set_epi8(15, 14, 11, 10, 7, 6, 3, 2, 13, 12, 9, 8, 5, 4, 1, 0);
    model_tile_weight *weights = room;
    (void)f;
    for (unsigned k = 0; k < groups; k++, packed += 64, weights += 64) {
        for (unsigned b = 0; b < 4u; b++) {
            const __m256i wide = _mm256_cvtepi8_epi16(_mm_shuffle_epi8(
                _mm_loadu_si128((const __m128i *)(const void *)(packed + 16 * b)), order));
            _mm_storeu_si128((__m128i *)(void *)(weights + 8 * b), _mm256_castsi256_si128(wide));
            _mm_storeu_si128((__m128i *)(void *)(weights + 32 + 8 * b),
                             _mm256_extracti128_si256(wide, 1));
        }
    }
    return room;
}

static inline void model_tile_sums(const int8_t *x, size_t apart, const model_tile_weight *w,
                                   unsigned groups, struct model_sums *sums,
                                   const struct model_factors *f, const unsigned count,
                                   const unsigned blocks)
{
    __m256i s[MODEL_TILE][2];
    (void)blocks;
    for (unsigned p = 0; p < count; p++) {
        s[p][0] = f->start[0];
        s[p][1] = f->start[1];
    }
    for (unsigned k = 0; k < groups; k++, x += 4, w += 64) {
        const __m256i *const u = (const __m256i *)(const void *)w;
        for (unsigned p = 0; p < count; p++) {
            int32_t given;
            memcpy(&given, x + p * apart, sizeof given);
            const __m128i wide = _mm_cvtepi8_epi16(_mm_cvtsi32_si128(given));
            const __m256i a = _mm256_broadcastd_epi32(wide);
            const __m256i b = _mm256_broadcastd_epi32(_mm_srli_si128(wide, 4));
            for (int i = 0; i < 2; i++) {
                s[p][i] = _mm256_add_epi32(
                    s[p][i], _mm256_add_epi32(_mm256_madd_epi16(_mm256_loadu_si256(u + i), a),
                                              _mm256_madd_epi16(_mm256_loadu_si256(u + 2 + i), b)));
            }
        }
    }
    for (unsigned p = 0; p < count; p++) {
        sums[p].half[0] = s[p][0];
        sums[p].half[1] = s[p][1];
    }
}
#endif
