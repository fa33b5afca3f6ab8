/* The largest of n values that are `inner` apart, or with a sign of -1 the smallest. */
static void model_extreme(const int8_t *x, int8_t *y, int outer, int n, int inner, int sign)
{
    for (int o = 0; o < outer; o++, x += n * inner) {
        for (int i = 0; i < inner; i++) {
            int8_t found = x[i];
            for (int k = 1; k < n; k++) {
                if (sign * x[k * inner + i] > sign * found) {
                    found = x[k * inner + i];
                }
            }
            *y++ = found;
        }
    }
}
