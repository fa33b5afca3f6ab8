#if defined(MODEL_TILE) && defined(__AVX512VNNI__) && defined(__AVX512VL__)
typedef __m512i model_tile_taps; /* weights of four places, of each channel side by side */

static inline __m256i model_two(const int8_t *a, const int8_t *b)
{
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)a)),
        _mm_loadu_si128((const __m128i *)(const void *)b), 1);
}

/* Four of each channel of 16: of `count` places, of which those behind the last are of weight 0. */
static inline __m512i model_depthwise_four(const int8_t *const *place, int c, const int count)
{
    if (count == 1) {
        return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(place[0] + c)));
    }
    const int third = count > 2 ? 2 : 0, fourth = count > 3 ? 3 : 0;
    const __m512i x = _mm512_permutex2var_epi32(
        _mm512_castsi256_si512(model_two(place[0] + c, place[1] + c)),
        _mm512_set_epi32(23, 19, 7, 3, 22, 18, 6, 2, 21, 17, 5, 1, 20, 16, 4, 0),
        _mm512_castsi256_si512(model_two(place[third] + c, place[fourth] + c)));
    return _mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(_mm_set_epi8(
                                      15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0)));
}

/* Sums of the products of 16 channels at `taps` places, from channel c on. */
static inline struct model_sums model_depthwise_sums(const int8_t *const *place, int c,
                                                     const model_tile_taps *w,
                                                     const struct model_factors *f, const int taps)
{
    struct model_sums sums = {f->start};
    for (int t = 0; t < taps; t += 4, w++) {
        const __m512i x = model_depthwise_four(place + t, c, taps - t);
        sums.all = _mm512_dpbusd_epi32(sums.all, _mm512_xor_si512(x, _mm512_set1_epi8(-128)), *w);
    }
    return sums;
}

/* The weights of 16 channels, or fewer: of four places of each side by side. What is added to the
 * inputs is taken off what the sums start with. */
static void model_depthwise_weights(const int8_t *w, int channels, int taps, unsigned rows,
                                    model_tile_taps *weights, struct model_factors *f)
{
    for (int t = 0; t < taps; t += 4, weights++) {
        int8_t some[4][16] = {{0}};
        const int8_t *const place[4] = {some[0], some[1], some[2], some[3]};
        for (int j = 0; j < 4 && t + j < taps; j++) {
            memcpy(some[j], w + (t + j) * channels, rows);
        }
        *weights = model_depthwise_four(place, 0, 4);
        f->start = _mm512_sub_epi32(f->start, _mm512_dpbusd_epi32(_mm512_setzero_si512(),
                                                                  _mm512_set1_epi8(-128), *weights));
    }
}

/* Where columns of three rows are read, one after the other. */
struct model_columns {
    const int8_t *row[3];
    ptrdiff_t apart[3]; /* 0 of a row that lies outside */
    int ix, in_w;
    __m512i outside;
};

/* The next column, of 16 channels, as model_depthwise_four makes it. */
static inline __attribute__((always_inline)) __m512i model_next_column(struct model_columns *from)
{
    __m512i column = from->outside;
    if (from->ix >= 0 && from->ix < from->in_w) {
        column = model_depthwise_four(from->row, 0, 3);
        column = _mm512_xor_si512(column, _mm512_set1_epi8(-128));
        for (int ky = 0; ky < 3; ky++) {
            from->row[ky] += from->apart[ky];
        }
    }
    from->ix++;
    return column;
}

/* model_conv_depthwise of 3 x 3, 16 channels or more, in steps of 1 or 2: each column is read once
 * for all windows that it is in. */
#define MODEL_DEPTHWISE_COLUMNS 1
static void model_depthwise_columns(const int8_t *x, int8_t *y, const struct model_window *at,
                                    const struct model_channels *to, const int8_t *outside)
{
    const int channels = at->in_c;
    for (int first = 0; first < channels; first += 16) {
        const int c = first + 16 > channels ? channels - 16 : first; /* some are computed again */
        struct model_factors f;
        __m512i w[3];
        (void)model_tile_factors(&f, to, (unsigned)c, 16u);
        for (int kx = 0; kx < 3; kx++) {
            model_depthwise_weights(to->weights + kx * channels + c, 3 * channels, 3, 16u, &w[kx], &f);
        }
        int8_t *to_y = y + c;
        for (int oy = 0; oy < at->out_h; oy++) {
            struct model_columns from = {.ix = -at->pad_w, .in_w = at->in_w};
            from.outside = _mm512_set1_epi8((char)(at->zero ^ -128));
            for (int ky = 0; ky < 3; ky++) {
                const int iy = oy * at->stride_h - at->pad_h + ky * at->dilation_h;
                const int inside = iy >= 0 && iy < at->in_h;
                from.row[ky] = inside ? x + iy * at->in_w * channels + c : outside;
                from.apart[ky] = inside ? channels : 0;
            }
            __m512i a = from.outside, b = a, d = model_next_column(&from);
            if (at->stride_w == 1) {
                b = d;
                d = model_next_column(&from);
            }
            for (int ox = 0; ox < at->out_w; ox++, to_y += channels) {
                struct model_sums sums;
                if (at->stride_w == 1) {
                    a = b;
                    b = d;
                } else {
                    a = d;
                    b = model_next_column(&from);
                }
                d = model_next_column(&from);
                sums.all = _mm512_dpbusd_epi32(f.start, a, w[0]);
                sums.all = _mm512_dpbusd_epi32(sums.all, b, w[1]);
                sums.all = _mm512_dpbusd_epi32(sums.all, d, w[2]);
                MODEL_TILE_STORE(to_y, model_tile_scale(sums, &f));
            }
        }
    }
}
#endif
