/* The same rounded once, as LiteRT does it in fully connected layers. TFLM rounds twice there,
 * too: with MODEL_LIKE_TFLM this program does as TFLM. */
static int32_t model_scale_once(int32_t x, int32_t multiplier, int shift)
{
#if defined(MODEL_LIKE_TFLM)
    const int right = shift > 0 ? 0 : -shift;
    const int32_t shifted = shift > 0 ? (int32_t)((uint32_t)x << shift) : x;
    const int32_t high = (int32_t)(((int64_t)shifted * multiplier + ((int64_t)1 << 30)) >> 31);
    const int32_t mask = (int32_t)(((uint32_t)1 << right) - 1u);
    const int32_t half = (mask >> 1) + (high < 0 ? 1 : 0);
    return (high >> right) + ((high & mask) > half ? 1 : 0);
#else
    const int right = 31 - shift;
    if (right > 32) { /* the lower half of the product decides nothing */
        const int32_t high = (int32_t)(((int64_t)x * multiplier) >> 32);
        return (high + ((int32_t)1 << (right - 33))) >> (right - 32);
    }
    return (int32_t)(((int64_t)x * multiplier + ((int64_t)1 << (right - 1))) >> right);
#endif
}
