/* Some vector units multiply a sum by its factor as a floating-point number in a third of the time.
 * Layers have such factors where each possible sum was proven to give the same integer. */
#if defined(__AVX512VNNI__) && defined(__AVX512VL__) && !defined(MODEL_LIKE_TFLM)
#define MODEL_HAS_REALS 1
#define MODEL_REALS(times, plus) , times, plus
#else
#define MODEL_HAS_REALS 0
#define MODEL_REALS(times, plus)
#endif

/* One layer's channels: the bias, which the input's zero point is in, and the factor
 * multiplier * 2^(shift - 31) of each; one factor for all if `each` is 0. */
struct model_channels {
    const MODEL_FLASH int8_t *weights;
    const MODEL_FLASH int32_t *bias;
    const MODEL_FLASH int32_t *multiplier;
    const MODEL_FLASH int8_t *shift;
    unsigned each;
    int once;            /* whether the factor rounds once */
    int small;           /* whether twice a sum, shifted to the left, has 32 bits for sure */
    int zero, low, high; /* of the output: its zero point and limits */
#if MODEL_HAS_REALS
    const int32_t *times, *plus; /* bits of each channel's factor, and of what is added; or 0 */
#endif
};

#define MODEL_SCALE(sum, multiplier, shift) @SCALE@

static int8_t model_output(int32_t sum, const MODEL_FLASH struct model_channels *to,
                           unsigned channel)
{
    const unsigned factor = to->each * channel;
    return model_narrow(MODEL_SCALE(sum, to->multiplier[factor], to->shift[factor]) + to->zero,
                        to->low, to->high);
}
