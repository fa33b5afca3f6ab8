#if defined(MODEL_TILE)
#define MODEL_TILE_TAPS 64       /* places of a window, at most */
#define MODEL_DEPTHWISE_BLOCKS 8 /* of 16 channels, at once */

/* model_conv_depthwise, 16 channels at once; returns 0 if it does not compute these. */
static int model_depthwise_tile(const int8_t *x, int8_t *y, const struct model_window *at,
                                const struct model_channels *to)
{
    const int taps = at->kernel_h * at->kernel_w, channels = at->in_c;
    const int tall = (at->kernel_h - 1) * at->dilation_h, wide = (at->kernel_w - 1) * at->dilation_w;
    const unsigned rows = channels < 16 ? (unsigned)channels : 16u;
    const int8_t *const end = x + at->in_h * at->in_w * channels;
    const int8_t *place[MODEL_TILE_TAPS];
    ptrdiff_t apart[MODEL_TILE_TAPS];
    int8_t outside[16 * MODEL_DEPTHWISE_BLOCKS + 16], window[MODEL_TILE_TAPS][16];
    model_tile_taps weights[MODEL_DEPTHWISE_BLOCKS][MODEL_TILE_TAPS];
    struct model_factors factors[MODEL_DEPTHWISE_BLOCKS];
    if (at->out_c != channels || taps > MODEL_TILE_TAPS) {
        return 0;
    }
    memset(outside, at->zero, sizeof outside);
#if defined(MODEL_DEPTHWISE_COLUMNS)
    if (at->kernel_h == 3 && at->kernel_w == 3 && at->dilation_w == 1 &&
        at->stride_w <= 2 && channels >= 16) {
        model_depthwise_columns(x, y, at, to, outside);
        return 1;
    }
#endif
    for (int t = 0; t < taps; t++) {
        apart[t] = (t / at->kernel_w * at->dilation_h * at->in_w +
                    t % at->kernel_w * at->dilation_w) * channels;
    }
    for (int first = 0; first < channels; first += 16 * MODEL_DEPTHWISE_BLOCKS) {
        int from[MODEL_DEPTHWISE_BLOCKS], blocks = 0;
        for (int c = first; c < channels && blocks < MODEL_DEPTHWISE_BLOCKS; c += 16, blocks++) {
            /* of fewer than 16 that are left, some are computed again */
            from[blocks] = (channels < 16 ? 0 : c + 16 > channels ? channels - 16 : c) - first;
            const int channel = first + from[blocks];
            (void)model_tile_factors(&factors[blocks], to, (unsigned)channel, rows);
            model_depthwise_weights(to->weights + channel, channels, taps, rows, weights[blocks],
                                    &factors[blocks]);
        }
        int8_t *to_y = y + first;
        for (int oy = 0; oy < at->out_h; oy++) {
            const int top = oy * at->stride_h - at->pad_h;
            for (int ox = 0; ox < at->out_w; ox++, to_y += channels) {
                const int left = ox * at->stride_w - at->pad_w;
                const int8_t *const corner = x + (top * at->in_w + left) * channels + first;
                const int inside = top >= 0 && top + tall < at->in_h && left >= 0 && left + wide < at->in_w;
                if (inside && (channels >= 16 || end - corner - apart[taps - 1] >= 16)) {
                    for (int t = 0; t < taps; t++) {
                        place[t] = corner + apart[t];
                    }
                } else {
                    int t = 0;
                    for (int iy = top; iy <= top + tall; iy += at->dilation_h) {
                        for (int ix = left; ix <= left + wide; ix += at->dilation_w, t++) {
                            place[t] = corner + apart[t];
                            if (iy < 0 || iy >= at->in_h || ix < 0 || ix >= at->in_w) {
                                place[t] = outside + 16;
                            } else if (channels < 16 && end - place[t] < 16) {
                                memcpy(window[t], place[t], rows);
                                place[t] = window[t];
                            }
                        }
                    }
                }
                for (int b = 0; b < blocks; b++) {
                    const struct model_factors *const f = &factors[b];
                    const struct model_sums sums =
                        taps == 9 ? model_depthwise_sums(place, from[b], weights[b], f, 9)
                                   : model_depthwise_sums(place, from[b], weights[b], f, taps);
                    model_tile_store(to_y + from[b], model_tile_scale(sums, f), rows);
                }
            }
        }
    }
    return 1;
}
#endif
