#if defined(MODEL_TILE)
#define MODEL_TILE_PATCHES 32768u

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
        for (unsigned p = 0, count = 0; p < all; p += count) {
            for (count = 0; p + count < all && (count + 1u) * apart <= MODEL_TILE_PATCHES; count++) {
                model_patch(x, patches + count * apart, at, oy, ox, group, 1);
                ox = ox + 1 < at->out_w ? ox + 1 : 0;
                oy += ox == 0;
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
