/* y[channels] = x[n] times the weights of `channels` rows from row `first` on. */
static void model_dense(const int8_t *x, int8_t *y, unsigned n, unsigned first, unsigned channels,
                        const struct model_channels *to)
{
    const MODEL_FLASH int8_t *w = to->weights + (size_t)first * n;
    const unsigned end = first + channels;
    unsigned i = first, j;
    for (; i + 4u <= end; i += 4u, w += 4u * (size_t)n) {
        int32_t sum[4];
        for (j = 0; j < 4u; j++) {
            sum[j] = to->bias[i + j];
        }
        model_dot4(x, w, n, sum);
        for (j = 0; j < 4u; j++) {
            *y++ = model_output(sum[j], to, i + j);
        }
    }
    for (; i < end; i++, w += n) {
        *y++ = model_output(model_dot(x, w, n, to->bias[i]), to, i);
    }
}
