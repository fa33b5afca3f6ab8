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
#if defined(MODEL_POSITIONS)
    const unsigned whole = model_whole(n, channels, to);
    for (; whole && positions >= MODEL_POSITIONS; positions -= MODEL_POSITIONS) {
        model_dense_some(x, y, n, channels, whole, to);
        for (unsigned p = 0; p < MODEL_POSITIONS; p++, x += n, y += channels) {
            if (whole < channels) {
                model_dense(x, y + whole, n, whole, channels - whole, to);
            }
        }
    }
#endif
    for (; positions; positions--, x += n, y += channels) {
        model_dense(x, y, n, 0, channels, to);
    }
}
