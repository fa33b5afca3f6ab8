/* The largest value in each window, or the average of those inside the image. */
static void model_pool(const int8_t *x, int8_t *y, const MODEL_FLASH struct model_window *at,
                       int average, int low, int high)
{
    for (int oy = 0; oy < at->out_h; oy++) {
        for (int ox = 0; ox < at->out_w; ox++) {
            const int top = oy * at->stride_h - at->pad_h, left = ox * at->stride_w - at->pad_w;
            const int y0 = top < 0 ? 0 : top, x0 = left < 0 ? 0 : left;
            const int y1 = top + at->kernel_h < at->in_h ? top + at->kernel_h : at->in_h;
            const int x1 = left + at->kernel_w < at->in_w ? left + at->kernel_w : at->in_w;
            for (int c = 0; c < at->in_c; c++) {
                int32_t sum = 0, largest = -128;
                const int32_t count = (int32_t)(y1 - y0) * (x1 - x0);
                for (int iy = y0; iy < y1; iy++) {
                    for (int ix = x0; ix < x1; ix++) {
                        const int8_t value = x[(iy * at->in_w + ix) * at->in_c + c];
                        sum += value;
                        largest = value > largest ? value : largest;
                    }
                }
                if (average) {
                    largest = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
                }
                *y++ = model_narrow(largest, low, high);
            }
        }
    }
}
