#if defined(MODEL_TILE)
#define MODEL_TILE_PAIRS 32 /* of places of a window, at most */
#define MODEL_TILE_BLOCKS 8 /* of 16 channels, at once */

/* model_conv_depthwise, 16 channels at once; returns 0 if it does not compute these. */
static int model_depthwise_tile(const int8_t *x, int8_t *y, const struct model_window *at,
                                const struct model_channels *to)
{
    const int taps = at->kernel_h * at->kernel_w, pairs = (taps + 1) / 2, channels = at->in_c;
    const int tall = (at->kernel_h - 1) * at->dilation_h, wide = (at->kernel_w - 1) * at->dilation_w;
    const unsigned rows = channels < 16 ? (unsigned)channels : 16u;
    const int8_t *const end = x + at->in_h * at->in_w * channels;
    const int8_t *place[2 * MODEL_TILE_PAIRS];
    ptrdiff_t apart[2 * MODEL_TILE_PAIRS];
    int8_t outside[16 * MODEL_TILE_BLOCKS + 16], window[2 * MODEL_TILE_PAIRS][16];
    model_tile_pair weights[MODEL_TILE_BLOCKS][2 * MODEL_TILE_PAIRS];
    struct model_factors factors[MODEL_TILE_BLOCKS];
    if (at->out_c != channels || pairs > MODEL_TILE_PAIRS) {
        return 0;
    }
    memset(outside, at->zero, sizeof outside);
    for (int t = 0; t < 2 * pairs; t++) {
        const int tap = t < taps ? t : taps - 1;
        apart[t] = (tap / at->kernel_w * at->dilation_h * at->in_w +
                    tap % at->kernel_w * at->dilation_w) * channels;
    }
    for (int first = 0; first < channels; first += 16 * MODEL_TILE_BLOCKS) {
        int from[MODEL_TILE_BLOCKS], blocks = 0;
        for (int c = first; c < channels && blocks < MODEL_TILE_BLOCKS; c += 16, blocks++) {
            /* of fewer than 16 that are left, some are computed again */
            from[blocks] = (channels < 16 ? 0 : c + 16 > channels ? channels - 16 : c) - first;
            const int channel = first + from[blocks];
            (void)model_tile_factors(&factors[blocks], to, (unsigned)channel, rows);
            model_depthwise_weights(to->weights + channel, channels, taps, rows, weights[blocks]);
        }
        int8_t *to_y = y + first;
        for (int oy = 0; oy < at->out_h; oy++) {
            const int top = oy * at->stride_h - at->pad_h;
            for (int ox = 0; ox < at->out_w; ox++, to_y += channels) {
                const int left = ox * at->stride_w - at->pad_w;
                const int8_t *const corner = x + (top * at->in_w + left) * channels + first;
                if (top >= 0 && top + tall < at->in_h && left >= 0 && left + wide < at->in_w &&
                    (channels >= 16 || end - corner - apart[taps - 1] >= 16)) {
                    for (int t = 0; t < 2 * pairs; t++) {
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
                    place[2 * pairs - 1] = place[taps - 1];
                }
                for (int b = 0; b < blocks; b++) {
                    const struct model_factors *const f = &factors[b];
                    const struct model_sums sums =
                        pairs == 5 ? model_depthwise_sums(place, from[b], weights[b], f, 5)
                                   : model_depthwise_sums(place, from[b], weights[b], f, pairs);
                    model_tile_store(to_y + from[b], model_tile_scale(sums, f), rows);
                }
            }
        }
    }
    return 1;
}
#endif
