/* A dense layer of many positions. */
static void model_dense_each(const int8_t *x, int8_t *y, unsigned positions, unsigned n,
                             unsigned channels, const MODEL_FLASH struct model_channels *to)
{
#if defined(MODEL_TILE)
    if (n % 4u == 0 && n <= 4u * MODEL_TILE_GROUPS &&
        model_tile(x, n, y, channels, positions, n, 0, channels, to)) {
        return;
    }
#endif
#if defined(MODEL_FOUR_POSITIONS)
    const unsigned whole = n % 4u == 0 && n <= MODEL_MOST_INPUTS ? channels / 4u * 4u : 0u;
    while (positions >= 4u && whole && model_dense_four(x, y, n, channels, whole, to)) {
        for (unsigned p = 0; p < 4u && whole < channels; p++) {
            model_dense(x + p * n, y + p * channels + whole, n, whole, channels - whole, to);
        }
        positions -= 4u;
        x += 4u * n;
        y += 4u * channels;
    }
#endif
    for (; positions; positions--, x += n, y += channels) {
        model_dense(x, y, n, 0, channels, to);
    }
}
