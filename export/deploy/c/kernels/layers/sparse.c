/* The place of the lowest bit that is set, where a core has an instruction for it. */
#if defined(__GNUC__) && !defined(__AVR__) && !defined(__ARM_ARCH_6M__) &&                         \
    !defined(MODEL_LOWEST) && !defined(MODEL_PORTABLE)
#define MODEL_LOWEST(bits) ((unsigned)__builtin_ctz(bits))
#endif
/* A dense layer without its zeros: for each output a bit for each weight, set where it is not zero,
 * then those weights@AS@. */
static void model_dense_sparse_@BITS@(const int8_t *x, int8_t *y, unsigned n, unsigned first,
                                 unsigned channels, const MODEL_FLASH struct model_channels *to)
{
    const MODEL_FLASH uint8_t *w = (const MODEL_FLASH uint8_t *)to->weights;
@TABLE@    for (unsigned i = first; i < first + channels; i++) {
        const MODEL_FLASH uint8_t *left = w + (n + 7u) / 8u;
        int32_t sum = to->bias[i];
@COUNT@        for (unsigned k = 0; k < n; k += 8u) {
            unsigned bits = *w++;
#if defined(MODEL_LOWEST)
            for (; bits; bits &= bits - 1u) {
                sum += x[k + MODEL_LOWEST(bits)] * @NEXT@;
                @THEN@
            }
#else
            for (unsigned at = k; bits; bits >>= 1, at++) {
                if (bits & 1u) {
                    sum += x[at] * @NEXT@;
                    @THEN@
                }
            }
#endif
        }
        w = left@SIZE@;
        *y++ = model_output(sum, to, i);
    }
}
