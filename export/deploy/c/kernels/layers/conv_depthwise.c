#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#include <arm_mve.h>
#endif

/* Adds to four sums the products of four channels in `rows` times `columns` pixels; the steps lead
 * from one pixel to the next, and from the end of a row to the next row. */
static inline void model_depthwise4(const int8_t *x, const MODEL_FLASH int8_t *w, int32_t *sum,
                                    int rows, int columns, const int *step)
{
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
    int32x4_t all = vldrwq_s32(sum);
    for (; rows; rows--, x += step[2], w += step[3]) {
        for (int i = columns; i; i--, x += step[0], w += step[1]) {
            all = vaddq_s32(all, vmulq_s32(vldrbq_s32(x), vldrbq_s32(w)));
        }
    }
    vstrwq_s32(sum, all);
#else
    int32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3];
    for (; rows; rows--, x += step[2], w += step[3]) {
        for (int i = columns; i; i--, x += step[0], w += step[1]) {
#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
            uint32_t p, q, u, v;
            memcpy(&p, x, 4);
            memcpy(&q, w, 4);
            __asm("sxtb16 %0, %1, ror #8" : "=r"(u) : "r"(p));
            __asm("sxtb16 %0, %1, ror #8" : "=r"(v) : "r"(q));
            __asm("sxtb16 %0, %1" : "=r"(p) : "r"(p));
            __asm("sxtb16 %0, %1" : "=r"(q) : "r"(q));
            a += (int16_t)p * (int16_t)q;
            b += (int16_t)u * (int16_t)v;
            c += (int16_t)(p >> 16) * (int16_t)(q >> 16);
            d += (int16_t)(u >> 16) * (int16_t)(v >> 16);
#else
            a += x[0] * w[0];
            b += x[1] * w[1];
            c += x[2] * w[2];
            d += x[3] * w[3];
#endif
        }
    }
    sum[0] = a;
    sum[1] = b;
    sum[2] = c;
    sum[3] = d;
#endif
}

/* Adds the products of `count` channels with what lies outside the image, the zero point. */
static void model_outside(const MODEL_FLASH int8_t *w, int32_t *sum, int count,
                          const MODEL_FLASH struct model_window *at, const int *inside)
{
    for (int ky = 0; ky < at->kernel_h; ky++) {
        for (int kx = 0; kx < at->kernel_w; kx++, w += at->out_c) {
            if (ky < inside[0] || ky >= inside[0] + inside[1] || kx < inside[2] ||
                kx >= inside[2] + inside[3]) {
                for (int k = 0; k < count; k++) {
                    sum[k] += at->zero * w[k];
                }
            }
        }
    }
}

/* A depthwise convolution: each output channel sees one input channel. */
static void model_conv_depthwise(const int8_t *x, int8_t *y,
                                 const MODEL_FLASH struct model_window *at,
                                 const MODEL_FLASH struct model_channels *to)
{
#if defined(MODEL_TILE)
    if (model_depthwise_tile(x, y, at, to)) {
        return;
    }
#endif
    const int depth = at->in_c, channels = at->out_c, multiplier = channels / depth;
    const int fours = multiplier == 1 ? channels / 4 * 4 : 0; /* taken four at a time */
    int inside[4]; /* the first row and how many, the first column and how many */
    for (int oy = 0; oy < at->out_h; oy++) {
        const int top = oy * at->stride_h - at->pad_h;
        model_inside(top, at->kernel_h, at->dilation_h, at->in_h, inside);
        for (int ox = 0; ox < at->out_w; ox++) {
            const int left = ox * at->stride_w - at->pad_w;
            model_inside(left, at->kernel_w, at->dilation_w, at->in_w, inside + 2);
            const int rows = inside[1], columns = inside[3];
            const int border = rows < at->kernel_h || columns < at->kernel_w;
            const int8_t *from = x + ((top + inside[0] * at->dilation_h) * at->in_w + left +
                                      inside[2] * at->dilation_w) * depth;
            const int first = (inside[0] * at->kernel_w + inside[2]) * channels;
            const int step[4] = {at->dilation_w * depth, channels,
                                 (at->dilation_h * at->in_w - columns * at->dilation_w) * depth,
                                 (at->kernel_w - columns) * channels};
            for (int o = 0; o < fours; o += 4, y += 4) {
                const MODEL_FLASH int32_t *bias = to->bias + o;
                int32_t sum[4] = {bias[0], bias[1], bias[2], bias[3]};
                if (border) {
                    model_outside(to->weights + o, sum, 4, at, inside);
                }
                model_depthwise4(from + o, to->weights + first + o, sum, rows, columns, step);
                model_output4(sum, y, to, (unsigned)o);
            }
            for (int o = fours; o < channels; o++) {
                const int8_t *p = from + o / multiplier;
                const MODEL_FLASH int8_t *w = to->weights + first + o;
                int32_t sum = to->bias[o];
                if (border) {
                    model_outside(to->weights + o, &sum, 1, at, inside);
                }
                for (int i = 0; i < rows; i++, p += step[2], w += step[3]) {
                    for (int j = 0; j < columns; j++, p += step[0], w += step[1]) {
                        sum += *p * *w;
                    }
                }
                *y++ = model_output(sum, to, (unsigned)o);
            }
        }
    }
}
