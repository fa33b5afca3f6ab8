#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && defined(__OPTIMIZE__) &&                  \
    !(defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1))
#define MODEL_FOUR_POSITIONS 1
#define MODEL_MOST_INPUTS 128u /* whose four positions take a kilobyte of stack */
/* Four weights of a row as halves, times two positions, then two more. */
#define MODEL_PAIRS                                                                                \
    "ldr %[odd], [%[w]], #16\n\t"                                                                  \
    "ldmia %[x]!, {r3, r4, r5, r6}\n\t"                                                            \
    "sxtb16 %[even], %[odd]\n\t"                                                                   \
    "sxtb16 %[odd], %[odd], ror #8\n\t"                                                            \
    "smlad %[a], r3, %[even], %[a]\n\t"                                                            \
    "smlad %[a], r4, %[odd], %[a]\n\t"                                                             \
    "smlad %[b], r5, %[even], %[b]\n\t"                                                            \
    "smlad %[b], r6, %[odd], %[b]\n\t"                                                             \
    "ldmia %[x]!, {r3, r4, r5, r6}\n\t"                                                            \
    "smlad %[c], r3, %[even], %[c]\n\t"                                                            \
    "smlad %[c], r4, %[odd], %[c]\n\t"                                                             \
    "smlad %[d], r5, %[even], %[d]\n\t"                                                            \
    "smlad %[d], r6, %[odd], %[d]\n\t"

#define MODEL_SUMS(before, after)                                                                  \
    __asm volatile(before MODEL_PAIRS after                                                        \
                   : [x] "+r"(given), [w] "+r"(w), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c),          \
                     [d] "+r"(d), [even] "=&r"(even), [odd] "=&r"(odd)                             \
                   : [end] "r"(end)                                                                \
                   : "r3", "r4", "r5", "r6", "cc", "memory")
/* What a sum becomes, as in model_output4: `small`, with a shift below 0. Halves go away from zero,
 * which does not show where only what is above zero does. */
#define MODEL_SMALL(sum)                                                                           \
    sum = (int32_t)((uint32_t)sum << 1);                                                           \
    if (above) {                                                                                   \
        __asm("smmlar %0, %0, %1, %2" : "+r"(sum) : "r"(multiplier), "r"(more));                   \
    } else {                                                                                       \
        __asm("smmulr %0, %0, %1" : "+r"(sum) : "r"(multiplier));                                  \
        sum += (sum >> 31) + more;                                                                 \
    }                                                                                              \
    sum >>= right;                                                                                 \
    __asm("ssat %0, #8, %0" : "+r"(sum));                                                          \
    if (limited) {                                                                                 \
        sum = sum < low ? low : sum;                                                               \
        sum = sum > high ? high : sum;                                                             \
    }

/* Four times model_dense of the first `whole` channels: these and n are multiples of four. Returns 0
 * if it does not compute these. */
static int model_dense_four(const int8_t *x, int8_t *y, unsigned n, unsigned channels,
                            unsigned whole, const struct model_channels *to)
{
    uint32_t wide[2u * n]; /* the inputs of four positions, in 16 bits */
    const uint32_t *const end = wide + 2u * n;
    uint32_t *halves = wide;
    const int low = to->low, high = to->high;
    const int limited = low > -128 || high < 127, above = low >= to->zero;
    if (!to->small) {
        return 0;
    }
#if !defined(MODEL_LIKE_TFLM)
    if (to->once) {
        return 0;
    }
#endif
    for (unsigned k = 0; k < n; k += 4u) {
        for (unsigned p = 0; p < 4u; p++, halves += 2) {
            uint32_t four;
            __asm("ldr %0, [%1]" : "=r"(four) : "r"(x + p * n + k) : "memory"); /* at any address */
            __asm("sxtb16 %0, %1" : "=r"(halves[0]) : "r"(four));
            __asm("sxtb16 %0, %1, ror #8" : "=r"(halves[1]) : "r"(four));
        }
    }
    for (unsigned first = 0; first < 4u; first++) {
        const int8_t *w = to->weights + 4u * first;
        for (unsigned i = first; i < whole; i += 4u) {
            int32_t a = to->bias[i], b = a, c = a, d = a;
            const uint32_t *given = wide;
            uint32_t even, odd;
            if (n % 8u) {
                MODEL_SUMS("", "");
            }
            if (given != end) {
                MODEL_SUMS("1:\n\t" MODEL_PAIRS, "cmp %[x], %[end]\n\tbne 1b");
            }
            const int32_t multiplier = to->multiplier[to->each * i];
            const int right = -to->shift[to->each * i];
            int8_t *to_y = y + i;
            if (right > 0 && right <= 20) {
                const int more = (2 * to->zero + 1) * (1 << (right - 1));
                MODEL_SMALL(a)
                MODEL_SMALL(b)
                MODEL_SMALL(c)
                MODEL_SMALL(d)
            } else {
                a = model_output(a, to, i);
                b = model_output(b, to, i);
                c = model_output(c, to, i);
                d = model_output(d, to, i);
            }
            *to_y = (int8_t)a;
            *(to_y += channels) = (int8_t)b;
            *(to_y += channels) = (int8_t)c;
            *(to_y += channels) = (int8_t)d;
        }
    }
    return 1;
}
#endif
