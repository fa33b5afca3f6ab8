/* The largest, or the average, of each 2 x 2 values: windows side by side, none beyond the edge. */
static void model_pool_fours(const int8_t *x, int8_t *y, int row, int n, int out_h, int out_w,
                             int average, int low, int high)
{
    for (int oy = 0; oy < out_h; oy++, x += 2 * row - 2 * out_w * n) {
        for (int ox = 0; ox < out_w; ox++, x += n) {
            for (int i = 0; i < n; i++, x++) {
                const int a = x[0], b = x[n], c = x[row], d = x[row + n], sum = a + b + c + d;
                const int upper = a > b ? a : b, lower = c > d ? c : d;
                const int largest = upper > lower ? upper : lower;
                *y++ = model_narrow(average ? (sum + (sum > 0 ? 2 : -2)) / 4 : largest, low, high);
            }
        }
    }
}
