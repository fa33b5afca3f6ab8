/* A convolution: the inputs of many outputs side by side in `patches`, which hold `most` bytes and
 * 16 more. A transposed one has its rows and columns `up_h` and `up_w` apart, what is between is
 * the zero point. */
static void model_conv_sixteen(const int8_t *x, int8_t *y, int8_t *patches, unsigned most,
                               const struct model_window *at, const int16_t *w,
                               const struct model_sixteen *to, const int groups, const int up_h,
                               const int up_w, const int twice, const int ups)
{
    const int depth = at->in_c / groups, channels = at->out_c / groups;
    const int row = at->kernel_w * depth;
    const unsigned fours = ((unsigned)(at->kernel_h * row) + 3u) / 4u;
    const unsigned blocks = ((unsigned)channels + 15u) / 16u;
    const unsigned all = (unsigned)(at->out_h * at->out_w);
    int8_t zeros[16];
    wasm_v128_store(zeros, wasm_i8x16_splat((int8_t)at->zero));
    for (int group = 0; group < groups; group++) {
        const int16_t *const weights = w + (unsigned)group * blocks * fours * 64u;
        const int32_t *const factors = to->factors + (unsigned)group * blocks * MODEL_FACTORS(ups);
        int top = -at->pad_h, left = -at->pad_w;
        for (unsigned p = 0, count = 0; p < all; p += count) {
            for (count = 0; p + count < all && (count + 1u) * 4u * fours <= most; count++) {
                int8_t *to_p = patches + count * 4u * fours;
                for (int ky = 0; ky < at->kernel_h; ky++) {
                    const int ty = top + ky * at->dilation_h, iy = ty / up_h;
                    const int known = ty >= 0 && iy < at->in_h && ty % up_h == 0;
                    if (known && left >= 0 && left + at->kernel_w <= at->in_w && groups == 1 &&
                        at->dilation_w == 1 && up_w == 1) {
                        model_put(to_p, x + (iy * at->in_w + left) * depth, row, 16);
                        to_p += row;
                        continue;
                    }
                    for (int kx = 0; kx < at->kernel_w; kx++, to_p += depth) {
                        const int tx = left + kx * at->dilation_w, ix = tx / up_w;
                        const int inside = known && tx >= 0 && ix < at->in_w && tx % up_w == 0;
                        const int at_x = (iy * at->in_w + ix) * at->in_c + group * depth;
                        model_put(to_p, inside ? x + at_x : zeros, depth, inside ? 16 : 0);
                    }
                }
                left += at->stride_w;
                if (left + at->pad_w == at->out_w * at->stride_w) {
                    left = -at->pad_w;
                    top += at->stride_h;
                }
            }
            model_each_sixteen(patches, y + p * (unsigned)at->out_c + group * channels, 4u * fours,
                               (size_t)at->out_c, count, fours, (unsigned)channels, weights,
                               factors, to, twice, ups);
        }
    }
}
