/* tanh(x) = 2 * logistic(2 * x) - 1, between places of the logistic function's table: Tanh in
 * tensorflow/lite/kernels/internal/reference/integer_ops/tanh.h. */
static void model_tanh16(const int16_t *x, int16_t *y, unsigned n,
                         const MODEL_FLASH uint16_t *table, int32_t multiplier, int shift)
{
    const int32_t half = shift > 0 ? (int32_t)1 << (shift - 1) : 0;
    for (; n; n--) {
        const int32_t given = (*x++ * multiplier + half) >> shift;
        const uint32_t size = (uint32_t)(given < 0 ? -given : given);
        const uint32_t at = size >> 8;
        int32_t found = (int32_t)0xFFFF << 8;
        if (at < 255u) {
            const uint32_t from = table[at];
            found = (int32_t)((from << 8) + (size & 0xFFu) * (table[at + 1u] - from));
        }
        found -= (int32_t)1 << 23;
        found = given >= 0 ? found + 128 : 127 - found;
        *y++ = (int16_t)(found >> 8);
    }
}
