/* The same with NEON of 64-bit ARM. */
#if defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>
#define MODEL_TILE 4u
#define MODEL_TILE_BLOCKS 1u
#define MODEL_TILE_NUMBER(value) vdupq_n_s32(value)
#define MODEL_TILE_BYTE(value) vdupq_n_s8((int8_t)(value))
#define MODEL_TILE_STORE(y, found) vst1q_s8(y, found)
typedef int8_t model_tile_weight;
typedef int8x16_t model_tile_bytes;
struct model_sums {
    int32x4_t part[4];
};
struct model_factors {
    int32x4_t start[4], multiplier[4], left[4], right[4], down[4], zero;
    int8x16_t low, high;
    int twice, ups, signs, limits;
};

static inline void model_factors(struct model_factors *f, const int32_t *bias,
                                 const int32_t *multiplier, const int32_t *shift)
{
    const int32x4_t none = vdupq_n_s32(0);
    for (int i = 0; i < 4; i++) {
        const int32x4_t by = vld1q_s32(shift + 4 * i);
        f->start[i] = vld1q_s32(bias + 4 * i);
        f->multiplier[i] = vld1q_s32(multiplier + 4 * i);
        f->left[i] = vmaxq_s32(by, none);
        f->right[i] = f->twice ? vminq_s32(by, none) : vaddq_s32(by, vdupq_n_s32(1));
        f->down[i] = vreinterpretq_s32_u32(vcltq_s32(by, none));
    }
}

static inline int8x16_t model_tile_scale(struct model_sums s, const struct model_factors *f)
{
    int32x4_t found[4];
    for (int i = 0; i < 4; i++) {
        const int32x4_t x = f->ups ? vshlq_s32(s.part[i], f->left[i]) : s.part[i];
        const int32x4_t by = f->multiplier[i];
        int32x4_t high;
        if (f->twice) {
            high = vqrdmulhq_s32(x, by);
        } else {
            high = vcombine_s32(vshrn_n_s64(vmull_s32(vget_low_s32(x), vget_low_s32(by)), 32),
                                vshrn_n_s64(vmull_s32(vget_high_s32(x), vget_high_s32(by)), 32));
        }
        if (f->signs) {
            high = vaddq_s32(high, vandq_s32(vshrq_n_s32(high, 31), f->down[i]));
        }
        found[i] = vaddq_s32(vrshlq_s32(high, f->right[i]), f->zero);
    }
    const int16x8_t first = vcombine_s16(vqmovn_s32(found[0]), vqmovn_s32(found[1]));
    const int16x8_t second = vcombine_s16(vqmovn_s32(found[2]), vqmovn_s32(found[3]));
    const int8x16_t y = vcombine_s8(vqmovn_s16(first), vqmovn_s16(second));
    return f->limits ? vminq_s8(vmaxq_s8(y, f->low), f->high) : y;
}

static inline const model_tile_weight *model_tile_weights(const int8_t *packed,
                                                          model_tile_weight *room, unsigned groups,
                                                          struct model_factors *f)
{
    (void)room;
    (void)groups;
    (void)f;
    return packed;
}

static inline void model_tile_sums(const int8_t *x, size_t apart, const model_tile_weight *w,
                                   unsigned groups, struct model_sums *sums,
                                   const struct model_factors *f, const unsigned count,
                                   const unsigned blocks)
{
    int32x4_t s[MODEL_TILE][4];
    (void)blocks;
    for (unsigned p = 0; p < count; p++) {
        for (int i = 0; i < 4; i++) {
            s[p][i] = f->start[i];
        }
    }
    for (unsigned k = 0; k < groups; k++, x += 4, w += 64) {
        for (unsigned p = 0; p < count; p++) {
            int32_t given;
            memcpy(&given, x + p * apart, sizeof given);
            const int8x16_t v = vreinterpretq_s8_s32(vdupq_n_s32(given));
            for (int i = 0; i < 4; i++) {
                const int8x16_t u = vld1q_s8(w + 16 * i);
#if defined(__ARM_FEATURE_DOTPROD)
                s[p][i] = vdotq_s32(s[p][i], u, v);
#else
                const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(u), vget_low_s8(v)));
                const int32x4_t high = vpaddlq_s16(vmull_high_s8(u, v));
                s[p][i] = vaddq_s32(s[p][i], vpaddq_s32(low, high));
#endif
            }
        }
    }
    for (unsigned p = 0; p < count; p++) {
        for (int i = 0; i < 4; i++) {
            sums[p].part[i] = s[p][i];
        }
    }
}
#endif
