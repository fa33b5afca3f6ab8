#if MODEL_BLOCKS > 1
/* The outputs of MODEL_ROWS sums. */
static inline void model_outputs(const int32_t *sum, int8_t *y, unsigned first,
                                 const struct model_channels *to)
{
#if !defined(MODEL_LIKE_TFLM)
    int32_t multiplier[MODEL_ROWS];
    int8_t shift[MODEL_ROWS], most = -128;
    for (unsigned j = 0; j < MODEL_ROWS; j++) {
        multiplier[j] = to->multiplier[to->each * (first + j)];
        shift[j] = to->shift[to->each * (first + j)];
        most = shift[j] > most ? shift[j] : most;
    }
    if (to->once && most < -1) {
        model_scale_rows(sum, y, multiplier, shift, to->zero, to->low, to->high);
        return;
    }
#endif
    for (unsigned j = 0; j < MODEL_ROWS; j++) {
        y[j] = model_output(sum[j], to, first + j);
    }
}
#endif

/* y[channels] = x[n] times the weights of `channels` rows from row `first` on. */
static void model_dense(const int8_t *x, int8_t *y, unsigned n, unsigned first, unsigned channels,
                        const MODEL_FLASH struct model_channels *to)
{
    const MODEL_FLASH int8_t *w = to->weights + (size_t)first * n;
    unsigned i = first, left = channels, j;
#if MODEL_BLOCKS > 1
    for (; left >= MODEL_ROWS; left -= MODEL_ROWS, i += MODEL_ROWS, y += MODEL_ROWS) {
        int32_t sum[MODEL_ROWS];
        for (j = 0; j < MODEL_ROWS; j++) {
            sum[j] = to->bias[i + j];
        }
        model_dot(x, w, n, sum, MODEL_BLOCKS);
        model_outputs(sum, y, i, to);
        w += MODEL_ROWS * (size_t)n;
    }
#endif
    for (; left >= 4u; left -= 4u, i += 4u, y += 4, w += 4u * (size_t)n) {
        int32_t sum[4];
        for (j = 0; j < 4u; j++) {
            sum[j] = to->bias[i + j];
        }
        model_dot(x, w, n, sum, 1);
        model_output4(sum, y, to, i);
    }
    for (j = i; j < i + left % 4u; j++, w += n) {
        *y++ = model_output(model_dot_row(x, w, n, to->bias[j]), to, j);
    }
}
