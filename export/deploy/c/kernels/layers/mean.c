/* Sums of n values that are `inner` apart, less n times the zero point, times a factor. */
static void model_mean(const int8_t *x, int8_t *y, int outer, int n, int inner, int32_t less,
                       int32_t multiplier, int shift, int zero)
{
    for (int o = 0; o < outer; o++, x += n * inner) {
        int i = 0;
#if defined(__x86_64__) || defined(__aarch64__)
        for (; i + 16 <= inner; i += 16) { /* which compilers turn into instructions for all 16 */
            int32_t sums[16] = {0};
            for (int k = 0; k < n; k++) {
                for (int j = 0; j < 16; j++) {
                    sums[j] += x[k * inner + i + j];
                }
            }
            for (int j = 0; j < 16; j++) {
                sums[j] = model_scale(sums[j] - less, multiplier, shift) + zero;
                *y++ = model_narrow(sums[j], -128, 127);
            }
        }
#endif
        for (; i < inner; i++) {
            int32_t sum = 0;
            for (int k = 0; k < n; k++) {
                sum += x[k * inner + i];
            }
            *y++ = model_narrow(model_scale(sum - less, multiplier, shift) + zero, -128, 127);
        }
    }
}
