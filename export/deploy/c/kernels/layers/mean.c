/* Sums of n values that are `inner` apart, less n times the zero point, times a factor. */
static void model_mean(const int8_t *x, int8_t *y, int outer, int n, int inner, int32_t less,
                       int32_t multiplier, int shift, int zero)
{
    for (int o = 0; o < outer; o++, x += n * inner) {
        for (int i = 0; i < inner; i++) {
            int32_t sum = 0;
            for (int k = 0; k < n; k++) {
                sum += x[k * inner + i];
            }
            *y++ = model_narrow(model_scale(sum - less, multiplier, shift) + zero, -128, 127);
        }
    }
}
