#if defined(MODEL_TILE) && defined(__aarch64__)
typedef int8x16_t model_tile_taps; /* weights of one place */

/* Sums of the products of 16 channels at `taps` places, from channel c on. */
static inline struct model_sums model_depthwise_sums(const int8_t *const *place, int c,
                                                     const model_tile_taps *w,
                                                     const struct model_factors *f, const int taps)
{
    struct model_sums sums = {{f->start[0], f->start[1], f->start[2], f->start[3]}};
    for (int i = 0; i < taps; i++) {
        const int8x16_t x = vld1q_s8(place[i] + c);
        const int16x8_t low = vmull_s8(vget_low_s8(x), vget_low_s8(w[i]));
        const int16x8_t high = vmull_high_s8(x, w[i]);
        sums.part[0] = vaddw_s16(sums.part[0], vget_low_s16(low));
        sums.part[1] = vaddw_high_s16(sums.part[1], low);
        sums.part[2] = vaddw_s16(sums.part[2], vget_low_s16(high));
        sums.part[3] = vaddw_high_s16(sums.part[3], high);
    }
    return sums;
}

/* The weights of 16 channels, or fewer, of each place. */
static void model_depthwise_weights(const int8_t *w, int channels, int taps, unsigned rows,
                                    model_tile_taps *weights, struct model_factors *f)
{
    (void)f;
    for (int t = 0; t < taps; t++) {
        int8_t some[16] = {0};
        memcpy(some, w + t * channels, rows);
        weights[t] = vld1q_s8(some);
    }
}
#endif
