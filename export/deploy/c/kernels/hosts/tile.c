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
    const unsigned groups = (n + 3u) / 4u, at_once = count < MODEL_TILE ? 1u : MODEL_TILE;
    struct model_factors f[MODEL_TILE_BLOCKS];
    struct model_sums sums[MODEL_TILE_BLOCKS * MODEL_TILE];
    for (unsigned i = 0; i < channels && to->once; i += 16u) {
        if (!model_tile_factors(f, to, first + i, channels - i < 16u ? channels - i : 16u)) {
            return 0;
        }
    }
    for (unsigned i = 0, blocks; i < channels; i += 16u * blocks) {
        const model_tile_weight *weights = 0;
        blocks = (channels - i + 15u) / 16u;
        blocks = blocks < MODEL_TILE_BLOCKS ? blocks : MODEL_TILE_BLOCKS;
        blocks = groups * blocks > MODEL_TILE_GROUPS ? 1u : blocks;
        for (unsigned b = 0; b < blocks; b++) {
            const unsigned channel = first + i + 16u * b, left = channels - i - 16u * b;
            const unsigned rows = left < 16u ? left : 16u, at = 64u * b * groups;
            (void)model_tile_factors(&f[b], to, channel, rows);
            model_tile_pack(to->weights + (size_t)channel * n, n, rows, packed + at);
            weights = model_tile_weights(packed + at, room + at, groups, &f[b]) - at;
        }
        for (unsigned p = 0; p < count; p += at_once) {
            p = p + at_once > count ? count - at_once : p; /* the last again, if they are fewer */
            const int8_t *const given = x + p * apart;
            if (at_once == 1u) {
                model_tile_sums(given, apart, weights, groups, sums, f, 1, 1);
                for (unsigned b = 1; b < blocks; b++) {
                    model_tile_sums(given, apart, weights + 64u * b * groups, groups, sums + b,
                                    f + b, 1, 1);
                }
            } else if (blocks == 1u) {
                model_tile_sums(given, apart, weights, groups, sums, f, MODEL_TILE, 1);
#if MODEL_TILE_BLOCKS > 1u
            } else if (blocks == 2u) {
                model_tile_sums(given, apart, weights, groups, sums, f, MODEL_TILE, 2);
            } else {
                model_tile_sums(given, apart, weights, groups, sums, f, MODEL_TILE, 3);
#endif
            }
            for (unsigned b = 0; b < blocks; b++) {
                const struct model_factors factors = f[b]; /* in registers */
                const struct model_sums *const some = sums + b * at_once;
                const unsigned left = channels - i - 16u * b;
                int8_t *made = y + p * y_apart + i + 16u * b;
                for (unsigned j = 0; j < at_once; j++, made += y_apart) {
                    if (left >= 16u) {
                        MODEL_TILE_STORE(made, model_tile_scale(some[j], &factors));
                    } else {
                        model_tile_store(made, model_tile_scale(some[j], &factors), left);
                    }
                }
            }
        }
    }
    return 1;
}
#endif
