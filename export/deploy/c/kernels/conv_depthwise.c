/* A depthwise convolution: each output channel sees one input channel. */
static void model_conv_depthwise(const int8_t *x, int8_t *y,
                                 const MODEL_FLASH struct model_window *at,
                                 const MODEL_FLASH struct model_channels *to)
{
    const int multiplier = at->out_c / at->in_c;
    for (int oy = 0; oy < at->out_h; oy++) {
        const int top = oy * at->stride_h - at->pad_h;
        for (int ox = 0; ox < at->out_w; ox++) {
            const int left = ox * at->stride_w - at->pad_w;
            for (int o = 0; o < at->out_c; o++) {
                const int8_t *column = x + o / multiplier;
                const MODEL_FLASH int8_t *w = to->weights + o;
                int32_t sum = to->bias[o];
                for (int ky = 0; ky < at->kernel_h; ky++) {
                    const int iy = top + ky * at->dilation_h;
                    for (int kx = 0; kx < at->kernel_w; kx++, w += at->out_c) {
                        const int ix = left + kx * at->dilation_w;
                        const int outside = iy < 0 || iy >= at->in_h || ix < 0 || ix >= at->in_w;
                        sum += *w * (outside ? at->zero : column[(iy * at->in_w + ix) * at->in_c]);
                    }
                }
                *y++ = model_output(sum, to, (unsigned)o);
            }
        }
    }
}
