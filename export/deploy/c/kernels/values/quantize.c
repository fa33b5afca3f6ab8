/* The same values in another unit: Requantize in
 * tensorflow/lite/kernels/internal/reference/requantize.h. */
static void model_quantize_@FROM@_@TO@(const int@FROM@_t *x, int@TO@_t *y, unsigned n, int x_zero,
                                int zero, int32_t low, int32_t high, int32_t multiplier, int shift)
{
    for (; n; n--) {
        const int32_t found = model_scale(*x++ - x_zero, multiplier, shift) + zero;
        *y++ = (int@TO@_t)(found < low ? low : found > high ? high : found);
    }
}
