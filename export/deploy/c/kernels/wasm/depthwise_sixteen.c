/* The bytes of two places, side by side. */
#define MODEL_SIDE(a, b, at)                                                                       \
    wasm_i8x16_shuffle(a, b, at, at + 16, at + 1, at + 17, at + 2, at + 18, at + 3, at + 19,       \
                       at + 4, at + 20, at + 5, at + 21, at + 6, at + 22, at + 7, at + 23)
#define MODEL_PLACES 128 /* of a window, at most */

/* A depthwise convolution. The weights: of sixteen channels those of two places side by side, then
 * of the next two. `outside` holds as many bytes as there are channels, and 16 more. */
static void model_depthwise_sixteen(const int8_t *x, int8_t *y, int8_t *outside,
                                    const struct model_window *at, const int16_t *w,
                                    const struct model_sixteen *to, const int ups)
{
    const int taps = at->kernel_h * at->kernel_w, channels = at->in_c;
    const int8_t *place[MODEL_PLACES];
    int8_t zeros[16];
    wasm_v128_store(zeros, wasm_i8x16_splat((int8_t)at->zero));
    model_put(outside, zeros, channels + 1, 0);
    place[taps] = outside; /* of an odd number; its weight is 0 */
    for (int oy = 0; oy < at->out_h; oy++) {
        const int top = oy * at->stride_h - at->pad_h;
        for (int ox = 0; ox < at->out_w; ox++, y += channels) {
            const int left = ox * at->stride_w - at->pad_w;
            const int8_t **to_place = place;
            for (int ky = 0; ky < at->kernel_h; ky++) {
                const int iy = top + ky * at->dilation_h;
                for (int kx = 0; kx < at->kernel_w; kx++) {
                    const int ix = left + kx * at->dilation_w;
                    const int inside = iy >= 0 && iy < at->in_h && ix >= 0 && ix < at->in_w;
                    *to_place++ = inside ? x + (iy * at->in_w + ix) * channels : outside;
                }
            }
            const int16_t *weights = w;
            const int32_t *factors = to->factors;
            for (int c = 0; c < channels; c += 16, factors += MODEL_FACTORS(ups)) {
                v128_t s[4];
                MODEL_UNROLLED
                for (int i = 0; i < 4; i++) {
                    s[i] = wasm_v128_load(factors + 4 * i);
                }
                for (int i = 0; i < taps; i += 2, weights += 32) {
                    const v128_t a = wasm_v128_load(place[i] + c);
                    const v128_t b = wasm_v128_load(place[i + 1] + c);
                    const v128_t both[2] = {MODEL_SIDE(a, b, 0), MODEL_SIDE(a, b, 8)};
                    MODEL_UNROLLED
                    for (int j = 0; j < 4; j++) {
                        const v128_t given = j % 2 ? wasm_i16x8_extend_high_i8x16(both[j / 2])
                                                   : wasm_i16x8_extend_low_i8x16(both[j / 2]);
                        s[j] = wasm_i32x4_add(
                            s[j], wasm_i32x4_dot_i16x8(given, wasm_v128_load(weights + 8 * j)));
                    }
                }
                model_store(y + c, model_scaled(s, factors, to, 1, ups), (unsigned)(channels - c));
            }
        }
    }
}
