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
    for (; positions; positions--, x += n, y += channels) {
        model_dense(x, y, n, 0, channels, to);
    }
}
