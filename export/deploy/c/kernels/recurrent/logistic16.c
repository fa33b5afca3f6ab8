/* 1 / (1 + exp(-x)), between places of a table: Logistic in
 * tensorflow/lite/kernels/internal/reference/integer_ops/logistic.h. */
static void model_logistic16(const int16_t *x, int16_t *y, unsigned n,
                             const MODEL_FLASH uint16_t *table, int32_t multiplier, int shift)
{
    const int32_t half = shift > 0 ? (int32_t)1 << (shift - 1) : 0;
    for (; n; n--) {
        const int32_t given = (*x++ * multiplier + half) >> shift;
        const uint32_t size = (uint32_t)(given < 0 ? -given : given);
        const uint32_t at = size >> 9;
        uint32_t found = (uint32_t)0x7FFF << 10;
        if (at < 255u) {
            const uint32_t from = table[at];
            found = (from << 9) + (size & 0x1FFu) * (table[at + 1u] - from);
        }
        found = given >= 0 ? found + 512u : ((uint32_t)1 << 25) - found + 511u;
        *y++ = (int16_t)(found >> 10);
    }
}
