#if defined(__thumb2__) && defined(__OPTIMIZE__) &&                                                \
    !(defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1))
/* How the sums of a channel of several positions become outputs. */
struct model_small {
    int32_t multiplier;
    int right, more, low, high, above, limited;
};

/* Returns 0 if the factor is of a kind that is not computed here. */
static inline int model_small_of(struct model_small *by, const struct model_channels *to, unsigned channel)
{
    by->multiplier = to->multiplier[to->each * channel];
    by->right = -to->shift[to->each * channel];
    if (by->right <= 0 || by->right > 20) {
        return 0;
    }
    by->more = (2 * to->zero + 1) * (1 << (by->right - 1));
    by->low = to->low;
    by->high = to->high;
    by->above = to->low >= to->zero;
    by->limited = to->low > -128 || to->high < 127;
    return 1;
}

/* As in model_output4. Halves go away from zero, which does not show where only what is above does. */
static inline int32_t model_small_output(int32_t sum, const struct model_small *by)
{
    int32_t x = (int32_t)((uint32_t)sum << 1);
#if defined(__ARM_FEATURE_DSP)
    if (by->above) {
        __asm("smmlar %0, %0, %1, %2" : "+r"(x) : "r"(by->multiplier), "r"(by->more));
    } else {
        __asm("smmulr %0, %0, %1" : "+r"(x) : "r"(by->multiplier));
        x += (x >> 31) + by->more;
    }
#else
    uint32_t rest;
    __asm("smull %0, %1, %1, %2" : "=&r"(rest), "+r"(x) : "r"(by->multiplier));
    x += (int32_t)(rest >> 31);
    x += by->above ? by->more : (x >> 31) + by->more;
#endif
    x >>= by->right;
    __asm("ssat %0, #8, %0" : "+r"(x));
    if (by->limited) {
        x = x < by->low ? by->low : x;
        x = x > by->high ? by->high : x;
    }
    return x;
}

#if defined(__ARM_FEATURE_DSP)
#define MODEL_POSITIONS 4u
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
                   : [x] "+&r"(given), [w] "+&r"(w), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c),          \
                     [d] "+r"(d), [even] "=&r"(even), [odd] "=&r"(odd)                             \
                   : [end] "r"(end)                                                                \
                   : "r3", "r4", "r5", "r6", "cc", "memory")

/* model_dense of four positions, of the first `whole` channels: these and n are multiples of four.
 * The inputs stand on the stack, in 16 bits. */
static void model_dense_some(const int8_t *x, int8_t *y, unsigned n, unsigned channels,
                             unsigned whole, const struct model_channels *to)
{
    uint32_t wide[2u * n];
    const uint32_t *const end = wide + 2u * n;
    uint32_t *halves = wide;
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
            struct model_small by;
            int8_t *to_y = y + i;
            if (n % 8u) {
                MODEL_SUMS("", "");
            }
            if (given != end) {
                MODEL_SUMS("1:\n\t" MODEL_PAIRS, "cmp %[x], %[end]\n\tbne 1b");
            }
            if (model_small_of(&by, to, i)) {
                a = model_small_output(a, &by);
                b = model_small_output(b, &by);
                c = model_small_output(c, &by);
                d = model_small_output(d, &by);
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
}
#else
#define MODEL_POSITIONS 2u
/* An input of two positions times a weight of two rows; which of four it is. */
#define MODEL_TWICE_TWO(next)                                                                      \
    "ldrsb %[u], [%[w]], #1\n\t"                                                                   \
    "ldrsb %[v], [%[w], #3]\n\t"                                                                   \
    "ldrsb %[t], [%[x]], #1\n\t"                                                                   \
    "mla %[a], %[t], %[u], %[a]\n\t"                                                               \
    "mla %[b], %[t], %[v], %[b]\n\t"                                                               \
    "ldrsb %[t], [%[z]], #1\n\t"                                                                   \
    "mla %[c], %[t], %[u], %[c]\n\t"                                                               \
    "mla %[d], %[t], %[v], %[d]\n\t" next

/* model_dense of two positions, two rows at a time, of the first `whole` channels: these and n are
 * multiples of four. */
static void model_dense_some(const int8_t *x, int8_t *y, unsigned n, unsigned channels,
                             unsigned whole, const struct model_channels *to)
{
    const int8_t *const end = x + n;
    for (unsigned first = 0; first < 4u; first += 2u) {
        const int8_t *w = to->weights + 4u * first;
        for (unsigned i = first; i < whole; i += 4u) {
            int32_t sum[2] = {to->bias[i], to->bias[i + 1u]}, a = sum[0], b = sum[1], c = a, d = b, t, u, v;
            const int8_t *one = x, *other = end;
            __asm volatile("1:\n\t" MODEL_TWICE_TWO("") MODEL_TWICE_TWO("") MODEL_TWICE_TWO("")
                               MODEL_TWICE_TWO("add %[w], #12\n\t") "cmp %[x], %[end]\n\t"
                                                                    "bne 1b"
                           : [x] "+&r"(one), [z] "+&r"(other), [w] "+&r"(w), [a] "+r"(a), [b] "+r"(b),
                             [c] "+r"(c), [d] "+r"(d), [t] "=&r"(t), [u] "=&r"(u), [v] "=&r"(v)
                           : [end] "r"(end)
                           : "cc", "memory");
            sum[0] = a;
            sum[1] = c;
            for (unsigned row = 0; row < 2u; row++, sum[0] = b, sum[1] = d) {
                struct model_small by;
                int8_t *const to_y = y + i + row;
                if (model_small_of(&by, to, i + row)) {
                    to_y[0] = (int8_t)model_small_output(sum[0], &by);
                    to_y[channels] = (int8_t)model_small_output(sum[1], &by);
                } else {
                    to_y[0] = model_output(sum[0], to, i + row);
                    to_y[channels] = model_output(sum[1], to, i + row);
                }
            }
        }
    }
}
#endif

/* Returns the number of the first channels that model_dense_some computes of these. */
static unsigned model_whole(unsigned n, unsigned channels, const struct model_channels *to)
{
    int is_small = to->small;
#if !defined(MODEL_LIKE_TFLM)
    is_small = is_small && !to->once;
#endif
    return is_small && n % 4u == 0 && n <= 128u ? channels / 4u * 4u : 0u; /* a kilobyte of stack */
}
#endif
