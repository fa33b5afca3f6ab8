#if defined(MODEL_TILE) && defined(__AVX2__) && !(defined(__AVX512VNNI__) && defined(__AVX512VL__))
typedef __m256i model_tile_taps; /* weights of two places, side by side */

/* Sums of the products of 16 channels at `taps` places, from channel c on. */
static inline struct model_sums model_depthwise_sums(const int8_t *const *place, int c,
                                                     const model_tile_taps *w,
                                                     const struct model_factors *f, const int taps)
{
    __m256i low = _mm256_setzero_si256(), high = low;
    struct model_sums sums;
    for (int t = 0; t < taps; t += 2) {
        const __m256i a = _mm256_cvtepi8_epi16(
            _mm_loadu_si128((const __m128i *)(const void *)(place[t] + c)));
        const __m256i b = t + 1 == taps ? _mm256_setzero_si256()
                                        : _mm256_cvtepi8_epi16(_mm_loadu_si128(
                                              (const __m128i *)(const void *)(place[t + 1] + c)));
        low = model_pairs(low, _mm256_unpacklo_epi16(a, b), w[t]);
        high = model_pairs(high, _mm256_unpackhi_epi16(a, b), w[t + 1]);
    }
    model_sums_of(&sums, f, _mm256_permute2x128_si256(low, high, 0x20),
                  _mm256_permute2x128_si256(low, high, 0x31));
    return sums;
}

/* The weights of 16 channels, or fewer, in 16 bits: two places of each side by side. */
static void model_depthwise_weights(const int8_t *w, int channels, int taps, unsigned rows,
                                    model_tile_taps *weights, struct model_factors *f)
{
    (void)f;
    for (int t = 0; t < taps; t += 2) {
        int8_t some[2][16] = {{0}}; /* an odd number's last place has weight 0 */
        for (int j = 0; j < 2 && t + j < taps; j++) {
            memcpy(some[j], w + (t + j) * channels, rows);
        }
        const __m256i a =
            _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)some[0]));
        const __m256i b =
            _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)some[1]));
        weights[t] = _mm256_unpacklo_epi16(a, b);
        weights[t + 1] = _mm256_unpackhi_epi16(a, b);
    }
}
#endif
