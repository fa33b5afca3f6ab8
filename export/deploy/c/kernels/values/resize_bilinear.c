/* Bilinear resizing with 10 bits behind the point: places in the input are steps * i + first. */
static void model_resize_bilinear(const int8_t *x, int8_t *y, int in_h, int in_w, int depth,
                                  int out_h, int out_w, int32_t step_h, int32_t step_w,
                                  int32_t first_h, int32_t first_w)
{
    for (int oy = 0; oy < out_h; oy++) {
        const int32_t v = oy * step_h + first_h;
        const int32_t y0 = v > 0 ? v / 1024 : 0, up = (v + 1023) / 1024;
        const int32_t y1 = up < in_h - 1 ? up : in_h - 1, b = v - 1024 * y0;
        for (int ox = 0; ox < out_w; ox++) {
            const int32_t u = ox * step_w + first_w;
            const int32_t x0 = u > 0 ? u / 1024 : 0, right = (u + 1023) / 1024;
            const int32_t x1 = right < in_w - 1 ? right : in_w - 1, a = u - 1024 * x0;
            for (int c = 0; c < depth; c++) {
                const int64_t top = (int64_t)x[(y0 * in_w + x0) * depth + c] * (1024 - a) +
                                    (int64_t)x[(y0 * in_w + x1) * depth + c] * a;
                const int64_t bottom = (int64_t)x[(y1 * in_w + x0) * depth + c] * (1024 - a) +
                                       (int64_t)x[(y1 * in_w + x1) * depth + c] * a;
                const int64_t sum = top * (1024 - b) + bottom * b;
                *y++ = (int8_t)((sum + (sum > 0 ? 524288 : -524288)) / 1048576);
            }
        }
    }
}
