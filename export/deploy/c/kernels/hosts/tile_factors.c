#if defined(MODEL_TILE)

/* The factors of 16 channels from one on, or of as many as there are. Returns 0 if they are of a
 * kind that is not computed here. */
static int model_tile_factors(struct model_factors *f, const struct model_channels *to,
                              unsigned first, unsigned rows)
{
    int32_t bias[16], multiplier[16], shift[16];
    int most = -31;
    f->limits = to->low > -128 || to->high < 127;
    f->low = MODEL_TILE_BYTE(to->low);
    f->high = MODEL_TILE_BYTE(to->high);
#if MODEL_HAS_REALS
    if (to->times) {
        model_real_factors(f, to, first, rows);
        return 1;
    }
#endif
    if (rows >= 16u && to->each) { /* of a known number, so that it is done at once */
        for (unsigned j = 0; j < 16u; j++) {
            bias[j] = to->bias[first + j];
            multiplier[j] = to->multiplier[first + j];
            shift[j] = to->shift[first + j];
            most = shift[j] > most ? shift[j] : most;
        }
    } else {
        for (unsigned j = 0; j < 16u; j++) {
            const unsigned channel = first + (j < rows ? j : 0u);
            bias[j] = to->bias[channel];
            multiplier[j] = to->multiplier[to->each * channel];
            shift[j] = to->shift[to->each * channel];
            most = shift[j] > most ? shift[j] : most;
        }
    }
    f->twice = !to->once;
#if defined(MODEL_LIKE_TFLM)
    f->twice = 1;
#endif
    f->ups = most > 0;
    f->signs = f->twice && to->low < to->zero; /* halves away from zero: limits hide it, if not */
    f->zero = MODEL_TILE_NUMBER(to->zero);
    model_factors(f, bias, multiplier, shift);
    return f->twice || most < -1;
}

static inline void model_tile_store(int8_t *y, model_tile_bytes found, unsigned rows)
{
    int8_t some[16];
    MODEL_TILE_STORE(some, found);
    if (rows >= 16u) {
        memcpy(y, some, 16);
    } else if (rows >= 8u) { /* what is of a known size is a move; both may overlap */
        memcpy(y, some, 8);
        memcpy(y + (rows & 7u), some + (rows & 7u), 8);
    } else if (rows >= 4u) {
        memcpy(y, some, 4);
        memcpy(y + (rows & 3u), some + (rows & 3u), 4);
    } else {
        for (unsigned j = 0; j < rows; j++) {
            y[j] = some[j];
        }
    }
}
#endif
