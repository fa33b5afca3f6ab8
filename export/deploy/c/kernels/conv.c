/* A convolution: each output's inputs side by side in `patch`, then a dense layer. */
static void model_conv(const int8_t *x, int8_t *y, int8_t *patch,
                       const MODEL_FLASH struct model_window *at,
                       const MODEL_FLASH struct model_channels *to)
{
    const int depth = at->in_c / at->groups, channels = at->out_c / at->groups;
    for (int oy = 0; oy < at->out_h; oy++) {
        for (int ox = 0; ox < at->out_w; ox++) {
            for (int group = 0; group < at->groups; group++) {
                int8_t *p = patch;
                for (int ky = 0; ky < at->kernel_h; ky++) {
                    const int iy = oy * at->stride_h - at->pad_h + ky * at->dilation_h;
                    for (int kx = 0; kx < at->kernel_w; kx++, p += depth) {
                        const int ix = ox * at->stride_w - at->pad_w + kx * at->dilation_w;
                        if (iy < 0 || iy >= at->in_h || ix < 0 || ix >= at->in_w) {
                            memset(p, at->zero, (size_t)depth);
                        } else {
                            memcpy(p, x + (iy * at->in_w + ix) * at->in_c + group * depth,
                                   (size_t)depth);
                        }
                    }
                }
                model_dense(patch, y, (unsigned)(p - patch), (unsigned)(group * channels),
                            (unsigned)channels, to);
                y += channels;
            }
        }
    }
}
