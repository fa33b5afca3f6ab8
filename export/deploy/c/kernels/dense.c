/* y[channels] = x[n] times the weights of `channels` rows from row `first` on. */
static void model_dense(const int8_t *x, int8_t *y, unsigned n, unsigned first, unsigned channels,
                        const MODEL_FLASH struct model_channels *to)
{
    const MODEL_FLASH int8_t *w = to->weights + (size_t)first * n;
    unsigned i = first, left = channels, j;
#if MODEL_BLOCKS > 1
    for (; left >= 4u * MODEL_BLOCKS; left -= 4u * MODEL_BLOCKS, i += 4u * MODEL_BLOCKS) {
        int32_t sum[4u * MODEL_BLOCKS];
        memcpy(sum, to->bias + i, sizeof sum);
        model_dot(x, w, n, sum, MODEL_BLOCKS);
        for (j = 0; j < 4u * MODEL_BLOCKS; j++) {
            *y++ = model_output(sum[j], to, i + j);
        }
        w += 4u * MODEL_BLOCKS * (size_t)n;
    }
#endif
    for (; left >= 4u; left -= 4u, i += 4u, w += 4u * (size_t)n) {
        int32_t sum[4];
        for (j = 0; j < 4u; j++) {
            sum[j] = to->bias[i + j];
        }
        model_dot(x, w, n, sum, 1);
        for (j = 0; j < 4u; j++) {
            *y++ = model_output(sum[j], to, i + j);
        }
    }
    for (j = i; j < i + left % 4u; j++, w += n) {
        *y++ = model_output(model_dot_row(x, w, n, to->bias[j]), to, j);
    }
}
