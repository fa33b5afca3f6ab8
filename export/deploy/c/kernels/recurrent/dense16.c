/* A dense layer of 16-bit values: the factor of its sums is (high * 2^22 + low) / 2^(shift + 22),
 * the double that FullyConnectedInt16 in LiteRT's kernels/fully_connected.cc multiplies with; TFLM
 * has 15 bits of it. */
struct model_wide {
    const MODEL_FLASH int8_t *weights;
    const MODEL_FLASH int32_t *bias;
    unsigned n, channels;
    uint32_t high, low;
    int shift;
    int32_t tflm_multiplier;
    int tflm_shift;
};

static int16_t model_scale16(int32_t sum, const MODEL_FLASH struct model_wide *to)
{
#if defined(MODEL_LIKE_TFLM)
    const int64_t half = (int64_t)1 << (to->tflm_shift - 1);
    return model_narrow16((int32_t)(((int64_t)sum * to->tflm_multiplier + half) >> to->tflm_shift),
                          -32768, 32767);
#else /* halves away from zero */
    const uint32_t size = sum < 0 ? 0u - (uint32_t)sum : (uint32_t)sum;
    const uint64_t product = (uint64_t)size * to->high + (((uint64_t)size * to->low) >> 22);
    const uint64_t rounded = (product + ((uint64_t)1 << (to->shift - 1))) >> to->shift;
    const int32_t found = rounded > 32768u ? 32768 : (int32_t)rounded;
    return model_narrow16(sum < 0 ? -found : found, -32768, 32767);
#endif
}

/* Four rows at a time, so that each value is read once for all of them. */
static void model_dense16(const int16_t *x, int16_t *y, const MODEL_FLASH struct model_wide *to)
{
    const unsigned n = to->n;
    const MODEL_FLASH int8_t *w = to->weights;
    unsigned i = 0;
    for (; i + 4u <= to->channels; i += 4u, w += 4u * (size_t)n) {
        const MODEL_FLASH int8_t *const w1 = w + n, *const w2 = w1 + n, *const w3 = w2 + n;
        int32_t a = to->bias[i], b = to->bias[i + 1u], c = to->bias[i + 2u], d = to->bias[i + 3u];
        for (unsigned k = 0; k < n; k++) {
            const int32_t v = x[k];
            a += v * w[k];
            b += v * w1[k];
            c += v * w2[k];
            d += v * w3[k];
        }
        y[i] = model_scale16(a, to);
        y[i + 1u] = model_scale16(b, to);
        y[i + 2u] = model_scale16(c, to);
        y[i + 3u] = model_scale16(d, to);
    }
    for (; i < to->channels; i++) {
        int32_t sum = to->bias[i];
        for (unsigned k = 0; k < n; k++) {
            sum += (int32_t)x[k] * *w++;
        }
        y[i] = model_scale16(sum, to);
    }
}
