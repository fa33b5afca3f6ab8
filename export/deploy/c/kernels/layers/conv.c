/* A convolution: each output's inputs side by side in `patch`, then a dense layer. */
static void model_conv(const int8_t *x, int8_t *y, int8_t *patch,
                       const MODEL_FLASH struct model_window *at,
                       const MODEL_FLASH struct model_channels *to)
{
    const int depth = at->in_c / at->groups, channels = at->out_c / at->groups;
    const unsigned n = (unsigned)(at->kernel_h * at->kernel_w * depth);
@TILE@    for (int oy = 0; oy < at->out_h; oy++) {
        for (int ox = 0; ox < at->out_w; ox++) {
            for (int group = 0; group < at->groups; group++) {
                model_patch(x, patch, at, oy, ox, group, 0);
                model_dense(patch, y, n, (unsigned)(group * channels), (unsigned)channels, to);
                y += channels;
            }
        }
    }
}
