/* The outputs of four sums: in one loop where a core has the registers and a long multiplication. */
static void model_output4(const int32_t *sum, int8_t *y, const MODEL_FLASH struct model_channels *to,
                          unsigned channel)
{
#if defined(__AVR__) || defined(__ARM_ARCH_6M__)
    for (unsigned j = 0; j < 4u; j++) {
        y[j] = model_output(sum[j], to, channel + j);
    }
#else
    const unsigned each = to->each;
    const int32_t *multiplier = to->multiplier + each * channel;
    const int8_t *shift = to->shift + each * channel;
    const int zero = to->zero, low = to->low, high = to->high;
    const int8_t *const end = y + 4;
#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
    if (!to->once && to->small) {
        const int more = 2 * zero + 1;
        for (; y < end; y++, sum++, multiplier += each, shift += each) {
            const int by = *shift;
            int32_t x = *sum * 2, result;
            if (by >= 0) {
                x = (int32_t)((uint32_t)x << by);
            }
            __asm("smmulr %0, %1, %2" : "=r"(x) : "r"(x), "r"(*multiplier));
            if (by < 0) { /* halves away from zero, and the zero point */
                result = (((x + (x >> 31)) >> (-1 - by)) + more) >> 1;
            } else {
                result = x + zero;
            }
            *y = model_narrow(result, low, high);
        }
        return;
    }
#endif
    for (; y < end; y++, sum++, multiplier += each, shift += each) {
        *y = model_narrow(MODEL_SCALE(*sum, *multiplier, *shift) + zero, low, high);
    }
#endif
}
