/* The same with the instructions of microcontrollers. */
#if defined(MODEL_BLOCKS)
/* as above */
#elif defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1)
#include <arm_mve.h>
#define MODEL_BLOCKS 1
#define MODEL_STEP 16
static inline unsigned model_dot_fast(const int8_t *x, const int8_t *w, unsigned n, int32_t *sum,
                                      const unsigned blocks)
{
    int32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3];
    unsigned k = 0;
    (void)blocks;
    if (((uintptr_t)w & 3u) == 0) {
        for (; k + 16u <= n; k += 16u, x += 16, w += 64) {
            const int8x16_t v = vldrbq_s8(x);
            const int32x4x4_t u = vld4q_s32((const int32_t *)(const void *)w); /* row by row */
            a = vmladavaq_s8(a, v, vreinterpretq_s8_s32(u.val[0]));
            b = vmladavaq_s8(b, v, vreinterpretq_s8_s32(u.val[1]));
            c = vmladavaq_s8(c, v, vreinterpretq_s8_s32(u.val[2]));
            d = vmladavaq_s8(d, v, vreinterpretq_s8_s32(u.val[3]));
        }
    }
    sum[0] = a;
    sum[1] = b;
    sum[2] = c;
    sum[3] = d;
    return k;
}
#elif defined(__ARM_FEATURE_DSP) && defined(__thumb2__)
#define MODEL_BLOCKS 1
#define MODEL_STEP 8
/* Bytes 0 and 2 of a word become two halves, then 1 and 3; each pair is two products. */
#define MODEL_ROW(sum, word)                                                                      \
    "sxtb16 %[t], " word "\n\t"                                                                   \
    "sxtb16 " word ", " word ", ror #8\n\t"                                                       \
    "smlad %[" sum "], %[t], %[even], %[" sum "]\n\t"                                             \
    "smlad %[" sum "], " word ", %[odd], %[" sum "]\n\t"
#define MODEL_FOUR                                                                                \
    "ldr %[even], [%[x]], #4\n\t"                                                                 \
    "ldmia %[w]!, {r4, r5}\n\t"                                                                   \
    "sxtb16 %[odd], %[even], ror #8\n\t"                                                          \
    "sxtb16 %[even], %[even]\n\t" MODEL_ROW("a", "r4") MODEL_ROW("b", "r5")                       \
    "ldmia %[w]!, {r4, r5}\n\t" MODEL_ROW("c", "r4") MODEL_ROW("d", "r5")
static inline unsigned model_dot_fast(const int8_t *x, const int8_t *w, unsigned n, int32_t *sum,
                                      const unsigned blocks)
{
    int32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3];
    uint32_t even, odd, t;
    const int8_t *const end = x + n / 8u * 8u;
    (void)blocks;
    if (((uintptr_t)w & 3u) != 0 || x == end) {
        return 0;
    }
    __asm volatile("1:\n\t" MODEL_FOUR MODEL_FOUR "cmp %[x], %[end]\n\t"
                   "bne 1b"
                   : [x] "+r"(x), [w] "+r"(w), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d),
                     [even] "=&r"(even), [odd] "=&r"(odd), [t] "=&r"(t)
                   : [end] "r"(end)
                   : "r4", "r5", "cc", "memory");
    sum[0] = a;
    sum[1] = b;
    sum[2] = c;
    sum[3] = d;
    return n / 8u * 8u;
}
#elif defined(__thumb2__) && defined(__OPTIMIZE__)
#define MODEL_BLOCKS 1
#define MODEL_STEP 4
#define MODEL_ROW(sum)                                                                            \
    "ldrsb %[t], [%[w]], #1\n\tmla %[" sum "], %[t], %[p], %[" sum "]\n\t"                         \
    "ldrsb %[t], [%[w]], #1\n\tmla %[" sum "], %[t], %[q], %[" sum "]\n\t"                         \
    "ldrsb %[t], [%[w]], #1\n\tmla %[" sum "], %[t], %[r], %[" sum "]\n\t"                         \
    "ldrsb %[t], [%[w]], #1\n\tmla %[" sum "], %[t], %[s], %[" sum "]\n\t"
static inline unsigned model_dot_fast(const int8_t *x, const int8_t *w, unsigned n, int32_t *sum,
                                      const unsigned blocks)
{
    int32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3], p, q, r, s, t;
    const int8_t *const end = x + n / 4u * 4u;
    (void)blocks;
    if (x == end) {
        return 0;
    }
    __asm volatile("1:\n\t"
                   "ldrsb %[p], [%[x]], #1\n\t"
                   "ldrsb %[q], [%[x]], #1\n\t"
                   "ldrsb %[r], [%[x]], #1\n\t"
                   "ldrsb %[s], [%[x]], #1\n\t" MODEL_ROW("a") MODEL_ROW("b") MODEL_ROW("c")
                       MODEL_ROW("d") "cmp %[x], %[end]\n\t"
                                      "bne 1b"
                   : [x] "+r"(x), [w] "+r"(w), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d),
                     [p] "=&r"(p), [q] "=&r"(q), [r] "=&r"(r), [s] "=&r"(s), [t] "=&r"(t)
                   : [end] "r"(end)
                   : "cc", "memory");
    sum[0] = a;
    sum[1] = b;
    sum[2] = c;
    sum[3] = d;
    return n / 4u * 4u;
}
#elif defined(__ARM_ARCH_6M__)
#define MODEL_BLOCKS 1
#define MODEL_STEP 4
/* The low registers hold where the input (r0) and four rows (r1, r3, r4, r5) stand, an index that
 * goes up to zero (r2) and two operands; the high ones hold the sums. */
#define MODEL_ROW(sum, row)                                                                        \
    "ldrsb r7, [" row ", r2]\n\t"                                                                  \
    "muls r7, r6\n\t"                                                                              \
    "add " sum ", r7\n\t"
#define MODEL_INPUT                                                                                \
    "ldrsb r6, [r0, r2]\n\t" MODEL_ROW("r8", "r1") MODEL_ROW("r9", "r3") MODEL_ROW("r10", "r4")    \
        MODEL_ROW("r11", "r5")
#define MODEL_STORE(sum, at) "mov r4, " sum "\n\tstr r4, [r3, #" at "]\n\t"
static inline unsigned model_dot_fast(const int8_t *x, const int8_t *w, unsigned n, int32_t *sum,
                                      const unsigned blocks)
{
    const unsigned whole = n / 4u * 4u;
    register uintptr_t given __asm("r0") = (uintptr_t)x + whole;
    register uintptr_t rows __asm("r1") = (uintptr_t)w + whole;
    register uint32_t index __asm("r2") = 0u - whole;
    register int32_t *sums __asm("r3") = sum;
    (void)blocks;
    if (whole) {
        __asm volatile(".syntax unified\n\t"
                       "push {r3, r7}\n\t"
                       "ldmia r3!, {r4, r5, r6, r7}\n\t"
                       "mov r8, r4\n\t"
                       "mov r9, r5\n\t"
                       "mov r10, r6\n\t"
                       "mov r11, r7\n\t"
                       "adds r3, r1, #4\n\t"
                       "adds r4, r3, #4\n\t"
                       "adds r5, r4, #4\n"
                       "1:\n\t" MODEL_INPUT "adds r2, #1\n\t" MODEL_INPUT
                       "adds r2, #1\n\t" MODEL_INPUT "adds r2, #1\n\t" MODEL_INPUT
                       "adds r1, #12\n\t"
                       "adds r3, #12\n\t"
                       "adds r4, #12\n\t"
                       "adds r5, #12\n\t"
                       "adds r2, #1\n\t"
                       "bne 1b\n\t"
                       "pop {r3, r7}\n\t" MODEL_STORE("r8", "0") MODEL_STORE("r9", "4")
                           MODEL_STORE("r10", "8") MODEL_STORE("r11", "12")
                       : "+r"(given), "+r"(rows), "+r"(index), "+r"(sums)
                       :
                       : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "cc", "memory");
    }
    return whole;
}
#elif defined(__AVR_HAVE_MUL__)
#define MODEL_BLOCKS 1
#define MODEL_STEP 4
#define MODEL_GROUPS 127u /* of four products, whose sum has 24 bits for sure */
#define MODEL_PRODUCT(low, middle, high, input)                                                    \
    "lpm r22, Z+\n\t"                                                                              \
    "muls r22, " input "\n\t"                                                                      \
    "add " low ", r0\n\t"                                                                          \
    "adc " middle ", r1\n\t"                                                                       \
    "adc " high ", r23\n\t"                                                                        \
    "sbrc r1, 7\n\t"                                                                               \
    "dec " high "\n\t"
#define MODEL_ROW(low, middle, high)                                                               \
    MODEL_PRODUCT(low, middle, high, "r18")                                                        \
    MODEL_PRODUCT(low, middle, high, "r19")                                                        \
    MODEL_PRODUCT(low, middle, high, "r20")                                                        \
    MODEL_PRODUCT(low, middle, high, "r21")
#define MODEL_CLEAR(low, middle, high) "clr " low "\n\tclr " middle "\n\tclr " high "\n\t"
#define MODEL_STORE(low, middle, high)                                                             \
    "st X+, " low "\n\tst X+, " middle "\n\tst X+, " high "\n\t"
static unsigned model_dot_fast(const int8_t *x, const MODEL_FLASH int8_t *w, unsigned n,
                               int32_t *sum, const unsigned blocks)
{
    unsigned left = n / 4u;
    (void)blocks;
    while (left) {
        uint8_t count = (uint8_t)(left < MODEL_GROUPS ? left : MODEL_GROUPS);
        __int24 found[4], *const to = found;
        left -= count;
        /* r2 to r13: four sums; r18 to r21: inputs; r22: a weight; r23: zero */
        __asm volatile("clr r23\n\t" MODEL_CLEAR("r2", "r3", "r4") MODEL_CLEAR("r5", "r6", "r7")
                           MODEL_CLEAR("r8", "r9", "r10") MODEL_CLEAR("r11", "r12", "r13") "1:\n\t"
                       "ld r18, X+\n\t"
                       "ld r19, X+\n\t"
                       "ld r20, X+\n\t"
                       "ld r21, X+\n\t" MODEL_ROW("r2", "r3", "r4") MODEL_ROW("r5", "r6", "r7")
                           MODEL_ROW("r8", "r9", "r10") MODEL_ROW("r11", "r12", "r13")
                       "dec %[count]\n\t"
                       "breq 2f\n\t"
                       "rjmp 1b\n"
                       "2:\n\t"
                       "clr r1\n\t"
                       "movw r18, r26\n\t"
                       "movw r26, %[to]\n\t" MODEL_STORE("r2", "r3", "r4")
                           MODEL_STORE("r5", "r6", "r7") MODEL_STORE("r8", "r9", "r10")
                               MODEL_STORE("r11", "r12", "r13") "movw r26, r18"
                       : "+x"(x), "+z"(w), [count] "+r"(count)
                       : [to] "r"(to)
                       : "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "r13",
                         "r18", "r19", "r20", "r21", "r22", "r23", "memory");
        for (uint8_t i = 0; i < 4; i++) {
            sum[i] += found[i];
        }
    }
    return n / 4u * 4u;
}
#else
#define MODEL_BLOCKS 1
#define MODEL_STEP 0
static inline unsigned model_dot_fast(const int8_t *x, const MODEL_FLASH int8_t *w, unsigned n,
                                      int32_t *sum, const unsigned blocks)
{
    (void)x, (void)w, (void)n, (void)sum, (void)blocks;
    return 0;
}
#endif
