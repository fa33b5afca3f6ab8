/* One layer's channels: the bias, which the input's zero point is in, and the factor
 * multiplier * 2^(shift - 31) of each; one factor for all if `each` is 0. */
struct model_channels {
    const MODEL_FLASH int8_t *weights;
    const MODEL_FLASH int32_t *bias;
    const MODEL_FLASH int32_t *multiplier;
    const MODEL_FLASH int8_t *shift;
    unsigned each;
    int once;            /* whether the factor rounds once */
    int zero, low, high; /* of the output: its zero point and limits */
};

static int8_t model_output(int32_t sum, const MODEL_FLASH struct model_channels *to,
                           unsigned channel)
{
    const unsigned factor = to->each * channel;
    return model_narrow(@SCALE@(sum, to->multiplier[factor], to->shift[factor]) + to->zero,
                        to->low, to->high);
}
