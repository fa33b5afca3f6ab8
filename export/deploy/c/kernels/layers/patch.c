/* Copies an output's inputs side by side; with `room`, up to 15 bytes behind them are written. */
static inline void model_patch(const int8_t *x, int8_t *p,
                               const MODEL_FLASH struct model_window *at, int oy, int ox, int group,
                               const int room)
{
    const int depth = at->in_c / at->groups, row = at->kernel_w * depth;
    const int top = oy * at->stride_h - at->pad_h, left = ox * at->stride_w - at->pad_w;
    const int whole = at->groups == 1 && at->dilation_w == 1 && left >= 0 &&
                      left + at->kernel_w <= at->in_w;
    const int8_t *const end = x + at->in_h * at->in_w * at->in_c;
    for (int ky = 0; ky < at->kernel_h; ky++) {
        const int iy = top + ky * at->dilation_h;
        const int8_t *from = x + (iy * at->in_w + left) * at->in_c + group * depth;
        if (iy < 0 || iy >= at->in_h) {
            memset(p, at->zero, (size_t)row);
            p += row;
        } else if (whole && room && row <= 64 && end - from >= row + 15) {
            for (int i = 0; i < row; i += 16) {
                memcpy(p + i, from + i, 16); /* of a known size, that is a move */
            }
            p += row;
        } else if (whole) {
            memcpy(p, from, (size_t)row);
            p += row;
        } else {
            for (int kx = 0; kx < at->kernel_w; kx++, p += depth) {
                const int ix = left + kx * at->dilation_w;
                if (ix < 0 || ix >= at->in_w) {
                    memset(p, at->zero, (size_t)depth);
                } else {
                    memcpy(p, from + kx * at->dilation_w * at->in_c, (size_t)depth);
                }
            }
        }
    }
}
