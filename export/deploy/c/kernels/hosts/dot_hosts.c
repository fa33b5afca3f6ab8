/* Sums of products with the instructions of a core: `model_dot_fast` returns how many of the n
 * inputs it has been through, as many whole MODEL_STEPs as there are, or none. It takes
 * MODEL_BLOCKS blocks of four rows, or one. How the weights stand is said below. */
#if defined(MODEL_BLOCKS)
/* as above */
#elif defined(__AVX512VNNI__) && defined(__AVX512VL__)
#include <immintrin.h>
#define MODEL_BLOCKS 4
#define MODEL_ROWS 16u
#define MODEL_STEP 16
/* It multiplies unsigned by signed bytes: 128 is added to the weights, and 128 times the inputs'
 * sum taken off. */
static inline unsigned model_dot_fast(const int8_t *x, const int8_t *w, unsigned n, int32_t *sum,
                                      const unsigned blocks)
{
    const __m512i half = _mm512_set1_epi8(-128);
    const __m512i spread = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    __m512i total[MODEL_BLOCKS], more = _mm512_setzero_si512();
    unsigned k, b;
    for (b = 0; b < blocks; b++) {
        total[b] = _mm512_setzero_si512();
    }
    for (k = 0; k + 16u <= n; k += 16u) {
        const __m128i given = _mm_loadu_si128((const __m128i *)(const void *)(x + k));
        const __m512i v = _mm512_permutexvar_epi32(spread, _mm512_castsi128_si512(given));
        more = _mm512_dpbusd_epi32(more, half, v);
        for (b = 0; b < blocks; b++) {
            const __m512i u = _mm512_loadu_si512(w + b * 4u * (size_t)n + 4u * k);
            total[b] = _mm512_dpbusd_epi32(total[b], _mm512_xor_si512(u, half), v);
        }
    }
    for (b = 0; b < blocks; b++) {
        const __m512i all = _mm512_sub_epi32(total[b], more);
        const __m256i two = _mm256_add_epi32(_mm512_castsi512_si256(all),
                                             _mm512_extracti64x4_epi64(all, 1));
        __m128i *const to = (__m128i *)(void *)(sum + 4u * b);
        const __m128i one =
            _mm_add_epi32(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1));
        _mm_storeu_si128(to, _mm_add_epi32(_mm_loadu_si128(to), one));
    }
    return k;
}

/* model_scale_once of 16 sums where all shifts are below -1: the upper half of each product is
 * rounded and shifted; then the zero point and the limits. */
static inline void model_scale_rows(const int32_t *sum, int8_t *y, const int32_t *multiplier,
                                    const int8_t *shift, int zero, int low, int high)
{
    const __m512i a = _mm512_loadu_si512(sum), b = _mm512_loadu_si512(multiplier);
    const __m512i right = _mm512_sub_epi32(
        _mm512_set1_epi32(-1),
        _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)shift)));
    const __m512i half = _mm512_srli_epi32(_mm512_sllv_epi32(_mm512_set1_epi32(1), right), 1);
    const __m512i even = _mm512_srli_epi64(_mm512_mul_epi32(a, b), 32);
    const __m512i odd = _mm512_mul_epi32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
    const __m512i upper = _mm512_mask_blend_epi32(0xAAAA, even, odd);
    const __m512i found = _mm512_add_epi32(
        _mm512_srav_epi32(_mm512_add_epi32(upper, half), right), _mm512_set1_epi32(zero));
    const __m512i narrow = _mm512_min_epi32(_mm512_max_epi32(found, _mm512_set1_epi32(low)),
                                            _mm512_set1_epi32(high));
    _mm_storeu_si128((__m128i *)(void *)y, _mm512_cvtepi32_epi8(narrow));
}
#elif defined(__AVX2__)
#include <immintrin.h>
#define MODEL_BLOCKS 4
#define MODEL_ROWS 16u
#define MODEL_STEP 4
static inline unsigned model_dot_fast(const int8_t *x, const int8_t *w, unsigned n, int32_t *sum,
                                      const unsigned blocks)
{
    __m256i total[MODEL_BLOCKS];
    unsigned k, b;
    for (b = 0; b < blocks; b++) {
        total[b] = _mm256_setzero_si256();
    }
    for (k = 0; k + 4u <= n; k += 4u) {
        int32_t given;
        memcpy(&given, x + k, sizeof given);
        const __m256i v =
            _mm256_broadcastq_epi64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(given)));
        for (b = 0; b < blocks; b++) {
            const __m128i u =
                _mm_loadu_si128((const __m128i *)(const void *)(w + b * 4u * (size_t)n + 4u * k));
            total[b] =
                _mm256_add_epi32(total[b], _mm256_madd_epi16(_mm256_cvtepi8_epi16(u), v));
        }
    }
    for (b = 0; b < blocks; b++) {
        const __m128i pairs = _mm_hadd_epi32(_mm256_castsi256_si128(total[b]),
                                             _mm256_extracti128_si256(total[b], 1));
        __m128i *const to = (__m128i *)(void *)(sum + 4u * b);
        _mm_storeu_si128(to, _mm_add_epi32(_mm_loadu_si128(to), pairs));
    }
    return k;
}

/* model_scale_once of 16 sums where all shifts are below -1: the upper half of each product is
 * rounded and shifted; then the zero point and the limits. */
static inline void model_scale_rows(const int32_t *sum, int8_t *y, const int32_t *multiplier,
                                    const int8_t *shift, int zero, int low, int high)
{
    __m256i found[2];
    for (int i = 0; i < 2; i++) {
        const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(sum + 8 * i));
        const __m256i b = _mm256_loadu_si256((const __m256i *)(const void *)(multiplier + 8 * i));
        const __m256i right = _mm256_sub_epi32(
            _mm256_set1_epi32(-1),
            _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(shift + 8 * i))));
        const __m256i half = _mm256_srli_epi32(_mm256_sllv_epi32(_mm256_set1_epi32(1), right), 1);
        const __m256i even = _mm256_srli_epi64(_mm256_mul_epi32(a, b), 32);
        const __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
        const __m256i upper = _mm256_blend_epi32(even, odd, 0xAA);
        const __m256i moved =
            _mm256_add_epi32(_mm256_srav_epi32(_mm256_add_epi32(upper, half), right),
                             _mm256_set1_epi32(zero));
        found[i] = _mm256_min_epi32(_mm256_max_epi32(moved, _mm256_set1_epi32(low)),
                                    _mm256_set1_epi32(high));
    }
    found[0] = _mm256_permute4x64_epi64(_mm256_packs_epi32(found[0], found[1]), 0xD8);
    _mm_storeu_si128((__m128i *)(void *)y,
                     _mm_packs_epi16(_mm256_castsi256_si128(found[0]),
                                     _mm256_extracti128_si256(found[0], 1)));
}
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#define MODEL_BLOCKS 4
#define MODEL_ROWS 16u
#define MODEL_STEP 4
static inline unsigned model_dot_fast(const int8_t *x, const int8_t *w, unsigned n, int32_t *sum,
                                      const unsigned blocks)
{
    int32x4_t total[MODEL_BLOCKS];
    unsigned k, b;
    for (b = 0; b < blocks; b++) {
        total[b] = vld1q_s32(sum + 4u * b);
    }
    for (k = 0; k + 4u <= n; k += 4u) {
        int32_t given;
        memcpy(&given, x + k, sizeof given);
        const int8x16_t v = vreinterpretq_s8_s32(vdupq_n_s32(given));
        for (b = 0; b < blocks; b++) {
            const int8x16_t u = vld1q_s8(w + b * 4u * (size_t)n + 4u * k);
#if defined(__ARM_FEATURE_DOTPROD)
            total[b] = vdotq_s32(total[b], u, v);
#else
            const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(u), vget_low_s8(v)));
            const int32x4_t high = vpaddlq_s16(vmull_s8(vget_high_s8(u), vget_high_s8(v)));
            total[b] = vaddq_s32(
                total[b],
                vcombine_s32(vpadd_s32(vget_low_s32(low), vget_high_s32(low)),
                             vpadd_s32(vget_low_s32(high), vget_high_s32(high))));
#endif
        }
    }
    for (b = 0; b < blocks; b++) {
        vst1q_s32(sum + 4u * b, total[b]);
    }
    return k;
}

/* model_scale_once of 16 sums where all shifts are below -1: the upper half of each product is
 * rounded and shifted; then the zero point and the limits. */
static inline void model_scale_rows(const int32_t *sum, int8_t *y, const int32_t *multiplier,
                                    const int8_t *shift, int zero, int low, int high)
{
    for (int i = 0; i < 16; i += 8) {
        const int16x8_t left = vmovl_s8(vld1_s8(shift + i));
        int16x4_t found[2];
        for (int j = 0; j < 2; j++) {
            const int32x4_t a = vld1q_s32(sum + i + 4 * j), b = vld1q_s32(multiplier + i + 4 * j);
            const int32x4_t upper =
                vcombine_s32(vshrn_n_s64(vmull_s32(vget_low_s32(a), vget_low_s32(b)), 32),
                             vshrn_n_s64(vmull_s32(vget_high_s32(a), vget_high_s32(b)), 32));
            const int32x4_t by = vaddq_s32(
                vmovl_s16(j ? vget_high_s16(left) : vget_low_s16(left)), vdupq_n_s32(1));
            const int32x4_t moved = vaddq_s32(vrshlq_s32(upper, by), vdupq_n_s32(zero));
            found[j] = vmovn_s32(
                vminq_s32(vmaxq_s32(moved, vdupq_n_s32(low)), vdupq_n_s32(high)));
        }
        vst1_s8(y + i, vmovn_s16(vcombine_s16(found[0], found[1])));
    }
}
#endif
