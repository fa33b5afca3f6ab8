/* On x86: many positions at once, sixteen channels at a time. Weights and factors of sixteen
 * channels are put in order once for all positions, on the stack. */
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
#include <immintrin.h>
#define MODEL_NEAREST (_MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define MODEL_TILE 8u        /* positions whose sums stand in registers */
#define MODEL_TILE_BLOCKS 3u /* of 16 channels, likewise */
#define MODEL_TILE_NUMBER(value) _mm512_set1_epi32(value)
#define MODEL_TILE_BYTE(value) _mm_set1_epi8((char)(value))
#define MODEL_TILE_STORE(y, found) _mm_storeu_si128((__m128i *)(void *)(y), found)
typedef int8_t model_tile_weight;
typedef __m128i model_tile_bytes;
struct model_sums {
    __m512i all;
};
struct model_factors {
    __m512i start, even, odd, left, right, half, zero;
    __mmask16 down; /* which shifts are below 0 */
    __m128i low, high;
    int twice, ups, signs, limits, reals;
};

/* What 16 channels start with, and their factors. */
static inline void model_factors(struct model_factors *f, const int32_t *bias,
                                 const int32_t *multiplier, const int32_t *shift)
{
    const __m512i none = _mm512_setzero_si512(), by = _mm512_loadu_si512(shift);
    f->start = _mm512_loadu_si512(bias);
    f->even = _mm512_loadu_si512(multiplier);
    f->odd = _mm512_srli_epi64(f->even, 32);
    f->left = _mm512_max_epi32(by, none);
    f->right = _mm512_sub_epi32(_mm512_set1_epi32(f->twice ? 0 : -1), by);
    f->right = _mm512_max_epi32(f->right, none);
    f->half = _mm512_srli_epi32(_mm512_sllv_epi32(_mm512_set1_epi32(1), f->right), 1);
    f->down = _mm512_cmplt_epi32_mask(by, none);
    f->reals = 0;
}

#if MODEL_HAS_REALS
/* The same where factors are floating-point numbers: these, and what is added. */
static inline void model_real_factors(struct model_factors *f, const struct model_channels *to,
                                      unsigned first, unsigned rows)
{
    const __mmask16 all = (__mmask16)(rows >= 16u ? 0xFFFFu : (1u << rows) - 1u);
    f->start = _mm512_maskz_loadu_epi32(all, to->bias + first);
    f->even = _mm512_set1_epi32(to->times[0]);
    f->odd = _mm512_set1_epi32(to->plus[0]);
    if (to->each) {
        f->even = _mm512_maskz_loadu_epi32(all, to->times + first);
        f->odd = _mm512_maskz_loadu_epi32(all, to->plus + first);
    }
    f->reals = 1;
}
#endif

/* model_scale of 16 sums, or model_scale_once where all shifts are below -1; then the zero point
 * and the limits. */
static inline __m128i model_tile_scale(struct model_sums s, const struct model_factors *f)
{
    if (f->reals) {
        const __m512 sum = _mm512_cvt_roundepi32_ps(s.all, MODEL_NEAREST);
        const __m512i y = _mm512_cvt_roundps_epi32(
            _mm512_fmadd_round_ps(sum, _mm512_castsi512_ps(f->even), _mm512_castsi512_ps(f->odd),
                                  MODEL_NEAREST), MODEL_NEAREST);
        const __m128i found = _mm512_cvtsepi32_epi8(y);
        return f->limits ? _mm_min_epi8(_mm_max_epi8(found, f->low), f->high) : found;
    }
    const __m512i x = f->ups ? _mm512_sllv_epi32(s.all, f->left) : s.all;
    __m512i even = _mm512_mul_epi32(x, f->even);
    __m512i odd = _mm512_mul_epi32(_mm512_srli_epi64(x, 32), f->odd), high;
    if (f->twice) {
        const __m512i half = _mm512_set1_epi64((int64_t)1 << 30);
        even = _mm512_srli_epi64(_mm512_add_epi64(even, half), 31);
        odd = _mm512_slli_epi64(_mm512_add_epi64(odd, half), 1);
    } else {
        even = _mm512_srli_epi64(even, 32);
    }
    high = _mm512_mask_blend_epi32(0xAAAA, even, odd);
    if (f->signs) {
        high = _mm512_mask_add_epi32(high, f->down, high, _mm512_srai_epi32(high, 31));
    }
    high = _mm512_srav_epi32(_mm512_add_epi32(high, f->half), f->right);
    const __m128i found = _mm512_cvtsepi32_epi8(_mm512_add_epi32(high, f->zero));
    return f->limits ? _mm_min_epi8(_mm_max_epi8(found, f->low), f->high) : found;
}

/* What the sums start with and two times eight more. */
static inline void model_sums_of(struct model_sums *sums, const struct model_factors *f, __m256i a,
                                 __m256i b)
{
    sums->all = _mm512_add_epi32(f->start, _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1));
}

/* Adds the products of pairs. */
static inline __m256i model_pairs(__m256i sum, __m256i a, __m256i b)
{
    return _mm256_dpwssd_epi32(sum, a, b);
}

/* It multiplies unsigned by signed bytes: 128 is added to the inputs, and 128 times the weights'
 * sum taken off what the sums start with. */
static inline const model_tile_weight *model_tile_weights(const int8_t *packed,
                                                          model_tile_weight *room, unsigned groups,
                                                          struct model_factors *f)
{
    __m512i more = _mm512_setzero_si512();
    (void)room;
    for (unsigned k = 0; k < groups; k++) {
        more = _mm512_dpbusd_epi32(more, _mm512_set1_epi8(-128), _mm512_loadu_si512(packed + 64 * k));
    }
    f->start = _mm512_sub_epi32(f->start, more);
    return packed;
}

static inline void model_tile_sums(const int8_t *x, size_t apart, const model_tile_weight *w,
                                   unsigned groups, struct model_sums *sums,
                                   const struct model_factors *f, const unsigned count,
                                   const unsigned blocks)
{
    __m512i s[MODEL_TILE_BLOCKS][MODEL_TILE];
    for (unsigned b = 0; b < blocks; b++) {
        for (unsigned p = 0; p < count; p++) {
            s[b][p] = f[b].start;
        }
    }
    for (unsigned k = 0; k < groups; k++, x += 4, w += 64) {
        __m512i u[MODEL_TILE_BLOCKS];
        for (unsigned b = 0; b < blocks; b++) {
            u[b] = _mm512_loadu_si512(w + 64u * b * groups);
        }
        for (unsigned p = 0; p < count; p++) {
            __m512i given;
            int32_t four;
            memcpy(&four, x + p * apart, sizeof four);
            given = _mm512_xor_si512(_mm512_set1_epi32(four), _mm512_set1_epi8(-128));
            for (unsigned b = 0; b < blocks; b++) {
                s[b][p] = _mm512_dpbusd_epi32(s[b][p], given, u[b]);
            }
        }
    }
    for (unsigned b = 0; b < blocks; b++) {
        for (unsigned p = 0; p < count; p++) {
            sums[b * count + p].all = s[b][p];
        }
    }
}
#endif
