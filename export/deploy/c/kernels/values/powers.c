#if defined(__AVX2__)
#include <immintrin.h>
/* model_product, model_divide and model_exp of eight values at once. */
static inline __m256i model_product8(__m256i a, __m256i b)
{
    const __m256i half = _mm256_set1_epi64x((int64_t)1 << 30);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(a, b), half);
    const __m256i odd = _mm256_add_epi64(
        _mm256_mul_epi32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32)), half);
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
}

static inline __m256i model_divide8(__m256i x, const int n)
{
    const __m256i mask = _mm256_set1_epi32((1 << n) - 1);
    const __m256i half = _mm256_sub_epi32(_mm256_set1_epi32(((1 << n) - 1) >> 1),
                                          _mm256_cmpgt_epi32(_mm256_setzero_si256(), x));
    return _mm256_sub_epi32(_mm256_srai_epi32(x, n),
                            _mm256_cmpgt_epi32(_mm256_and_si256(x, mask), half));
}

static inline __m256i model_exp8(__m256i x)
{
    static const int32_t steps[7] = {1672461947, 1302514674, 790015084, 290630308,
                                     39332535,   720401,     242};
    const __m256i quarter = _mm256_set1_epi32(1 << 24), first = _mm256_set1_epi32(1895147668);
    const __m256i part = _mm256_sub_epi32(
        _mm256_and_si256(x, _mm256_set1_epi32((1 << 24) - 1)), quarter);
    const __m256i remainder = _mm256_sub_epi32(part, x);
    const __m256i near =
        _mm256_add_epi32(_mm256_slli_epi32(part, 5), _mm256_set1_epi32(1 << 28));
    const __m256i near2 = model_product8(near, near), near3 = model_product8(near2, near);
    const __m256i near4 = model_divide8(model_product8(near2, near2), 2);
    const __m256i third =
        model_product8(_mm256_add_epi32(near4, near3), _mm256_set1_epi32(715827883));
    const __m256i tail = model_divide8(_mm256_add_epi32(third, near2), 1);
    __m256i result = _mm256_add_epi32(first, model_product8(first, _mm256_add_epi32(near, tail)));
    for (int i = 0; i < 7; i++) {
        const __m256i bit = _mm256_set1_epi32(1 << (24 + i));
        const __m256i taken = _mm256_cmpeq_epi32(_mm256_and_si256(remainder, bit), bit);
        result = _mm256_blendv_epi8(result, model_product8(result, _mm256_set1_epi32(steps[i])),
                                    taken);
    }
    return _mm256_blendv_epi8(result, _mm256_set1_epi32(INT32_MAX),
                              _mm256_cmpeq_epi32(x, _mm256_setzero_si256()));
}
#endif
