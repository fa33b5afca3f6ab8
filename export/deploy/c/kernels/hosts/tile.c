#if defined(MODEL_TILE)
#define MODEL_TILE_GROUPS 576u /* of four weights of a row, at most */

/* The weights of 16 rows, or fewer: four of each row, then the next four of each. */
static void model_tile_pack(const int8_t *w, unsigned n, unsigned rows, int8_t *packed)
{
    const unsigned groups = n / 4u, rest = n % 4u, all = (n + 3u) / 4u;
    if (rows < 16u) {
        memset(packed, 0, 64u * all);
    } else if (rest) {
        memset(packed + 64u * groups, 0, 64u);
    }
    for (unsigned b = 0; b < rows / 4u; b++, w += 4u * (size_t)n) {
        for (unsigned k = 0; k < groups; k++) {
            memcpy(packed + 64u * k + 16u * b, w + 16u * k, 16u);
        }
        for (unsigned k = 0; k < 4u * rest; k++) {
            packed[64u * groups + 16u * b + k / rest * 4u + k % rest] = w[16u * groups + k];
        }
    }
    for (unsigned j = rows / 4u * 4u; j < rows; j++, w += n) {
        for (unsigned k = 0; k < n; k++) {
            packed[64u * (k / 4u) + 4u * j + k % 4u] = w[k];
        }
    }
}

/* model_dense of `count` positions whose inputs and outputs are so far apart; a multiple of four
 * inputs is read. Returns 0 if it does not compute these, with nothing done. */
static int model_tile(const int8_t *x, size_t apart, int8_t *y, size_t y_apart, unsigned count,
                      unsigned n, unsigned first, unsigned channels,
                      const struct model_channels *to)
{
    MODEL_ALIGNED int8_t packed[64u * MODEL_TILE_GROUPS];
    MODEL_ALIGNED model_tile_weight room[64u * MODEL_TILE_GROUPS];
    const unsigned groups = (n + 3u) / 4u;
    struct model_factors f;
    struct model_sums sums[MODEL_TILE];
    for (unsigned i = 0; i < channels && to->once; i += 16u) {
        if (!model_tile_factors(&f, to, first + i, channels - i < 16u ? channels - i : 16u)) {
            return 0;
        }
    }
    for (unsigned i = 0; i < channels; i += 16u) {
        const unsigned rows = channels - i < 16u ? channels - i : 16u;
        (void)model_tile_factors(&f, to, first + i, rows);
        model_tile_pack(to->weights + (size_t)(first + i) * n, n, rows, packed);
        const model_tile_weight *weights = model_tile_weights(packed, room, groups, &f);
        for (unsigned p = 0; p < count;) {
            if (count >= MODEL_TILE) { /* the last ones again, if they are fewer */
                p = p + MODEL_TILE > count ? count - MODEL_TILE : p;
                model_tile_sums(x + p * apart, apart, weights, groups, sums, &f, MODEL_TILE);
                for (unsigned j = 0; j < MODEL_TILE; j++, p++) {
                    model_tile_store(y + p * y_apart + i, model_tile_scale(sums[j], &f), rows);
                }
            } else {
                model_tile_sums(x + p * apart, apart, weights, groups, sums, &f, 1);
                model_tile_store(y + p * y_apart + i, model_tile_scale(sums[0], &f), rows);
                p++;
            }
        }
    }
    return 1;
}
#endif
