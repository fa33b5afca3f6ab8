/* x * multiplier * 2^(shift - 31), rounded twice: MultiplyByQuantizedMultiplier in
 * tensorflow/lite/kernels/internal/common.cc. */
static inline int32_t model_scale(int32_t x, int32_t multiplier, int shift)
{
    int32_t high;
    if (shift > 0) {
        x = (int32_t)((uint32_t)x << shift);
    }
    high = (int32_t)(((int64_t)x * multiplier + ((int64_t)1 << 30)) >> 31);
    if (shift >= 0) {
        return high;
    }
    /* halves away from zero */
    return (((high + (high < 0 ? -1 : 0)) >> (-1 - shift)) + 1) >> 1;
}
