/* Sums of products with the instructions of a core: `model_dot_fast` returns how many of the n
 * inputs it has been through, as many whole MODEL_STEPs as there are, or none. It takes
 * MODEL_BLOCKS blocks of four rows, or one. How the weights stand is said below. */
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
#include <immintrin.h>
#define MODEL_BLOCKS 4
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
#elif defined(__AVX2__)
#include <immintrin.h>
#define MODEL_BLOCKS 4
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
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#define MODEL_BLOCKS 4
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
#endif
