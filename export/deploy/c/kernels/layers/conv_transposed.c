/* A transposed convolution: each output's inputs side by side in `patch`, zero where the steps
 * leave a gap, then a dense layer. */
static void model_conv_transposed(const int8_t *x, int8_t *y, int8_t *patch,
                                  const MODEL_FLASH struct model_window *at,
                                  const MODEL_FLASH struct model_channels *to)
{
    for (int oy = 0; oy < at->out_h; oy++) {
        for (int ox = 0; ox < at->out_w; ox++) {
            int8_t *p = patch;
            for (int ky = 0; ky < at->kernel_h; ky++) {
                const int ty = oy + at->pad_h - ky, iy = ty / at->stride_h;
                for (int kx = 0; kx < at->kernel_w; kx++, p += at->in_c) {
                    const int tx = ox + at->pad_w - kx, ix = tx / at->stride_w;
                    if (ty < 0 || ty % at->stride_h || iy >= at->in_h || tx < 0 ||
                        tx % at->stride_w || ix >= at->in_w) {
                        memset(p, at->zero, (size_t)at->in_c);
                    } else {
                        memcpy(p, x + (iy * at->in_w + ix) * at->in_c, (size_t)at->in_c);
                    }
                }
            }
            model_dense(patch, y, (unsigned)(p - patch), 0, (unsigned)at->out_c, to);
            y += at->out_c;
        }
    }
}
