/* The same rounded once, as LiteRT does it in fully connected layers. TFLM rounds twice there,
 * too: with MODEL_LIKE_TFLM this program does as TFLM. */
static int32_t model_scale_once(int32_t x, int32_t multiplier, int shift)
{
#if defined(MODEL_LIKE_TFLM)
    int32_t high;
    if (shift > 0) {
        x = (int32_t)((uint32_t)x << shift);
    }
    high = (int32_t)(((int64_t)x * multiplier + ((int64_t)1 << 30)) >> 31);
    return shift < 0 ? (((high + (high < 0 ? -1 : 0)) >> (-1 - shift)) + 1) >> 1 : high;
#else
    const int right = 31 - shift;
    if (right > 32) { /* the lower half of the product decides nothing */
        const int32_t high = (int32_t)(((int64_t)x * multiplier) >> 32);
        return (high + ((int32_t)1 << (right - 33))) >> (right - 32);
    }
    return (int32_t)(((int64_t)x * multiplier + ((int64_t)1 << (right - 1))) >> right);
#endif
}
