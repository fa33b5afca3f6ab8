#if defined(MODEL_TILE)
#define MODEL_TILE_PATCHES 32768u

/* model_patch of up to `most` positions of a row from one on, where all of their windows lie inside
 * and have short rows; returns of how many. */
static inline unsigned model_patches(const int8_t *x, int8_t *p, unsigned apart, unsigned most,
                                     const struct model_window *at, int oy, int ox)
{
    const int row = at->kernel_w * at->in_c, down = at->in_w * at->in_c * at->dilation_h;
    const int top = oy * at->stride_h - at->pad_h, left = ox * at->stride_w - at->pad_w;
    const int step = at->stride_w * at->in_c;
    const int8_t *from = x + (top * at->in_w + left) * at->in_c;
    const int8_t *const end = x + at->in_h * at->in_w * at->in_c - 16;
    const int tall = at->kernel_h;
    int count;
    if (at->groups > 1 || at->dilation_w > 1 || row > 16 || top < 0 || left < 0 ||
        left + at->kernel_w > at->in_w || top + (at->kernel_h - 1) * at->dilation_h >= at->in_h) {
        return 0;
    }
    count = (at->in_w - at->kernel_w - left) / at->stride_w + 1;
    count = count > at->out_w - ox ? at->out_w - ox : count;
    count = count > (int)most ? (int)most : count;
    while (count > 0 && from + (at->kernel_h - 1) * down + (count - 1) * step > end) {
        count--;
    }
    for (int i = 0; i < count; i++, p += apart, from += step) {
        int8_t *to = p;
        const int8_t *line = from;
        for (int ky = 0; ky < tall; ky++, to += row, line += down) {
            memcpy(to, line, 16); /* what is too much is written over */
        }
    }
    return count > 0 ? (unsigned)count : 0u;
}

/* model_conv, many positions at once; returns 0 if it does not compute these, with nothing done. */
static int model_conv_tile(const int8_t *x, int8_t *y, const struct model_window *at,
                           const struct model_channels *to)
{
    MODEL_ALIGNED int8_t patches[MODEL_TILE_PATCHES + 16u];
    const int depth = at->in_c / at->groups, channels = at->out_c / at->groups;
    const unsigned n = (unsigned)(at->kernel_h * at->kernel_w * depth), apart = (n + 3u) / 4u * 4u;
    const unsigned all = (unsigned)(at->out_h * at->out_w);
    if (apart > 4u * MODEL_TILE_GROUPS) {
        return 0;
    }
    for (int group = 0; group < at->groups; group++) {
        const unsigned channel = (unsigned)(group * channels);
        int oy = 0, ox = 0;
        for (unsigned p = 0, count; p < all; p += count) {
            count = 0;
            while (p + count < all && (count + 1u) * apart <= MODEL_TILE_PATCHES) {
                int8_t *const to_patch = patches + count * apart;
                const unsigned most = MODEL_TILE_PATCHES / apart - count;
                const unsigned done = model_patches(x, to_patch, apart, most, at, oy, ox);
                if (!done) {
                    model_patch(x, to_patch, at, oy, ox, group, 1);
                }
                count += done ? done : 1u;
                ox += done ? (int)done : 1;
                if (ox == at->out_w) {
                    ox = 0;
                    oy++;
                }
            }
            if (!model_tile(patches, apart, y + p * (unsigned)at->out_c + channel,
                            (size_t)at->out_c, count, n, channel, (unsigned)channels, to)) {
                return 0;
            }
        }
    }
    return 1;
}
#endif
