/* A dense layer whose weights are indices of @BITS@ bits, several per byte, behind a table of values. */
static void model_dense_indexed_@BITS@(const int8_t *x, int8_t *y, unsigned n, unsigned first,
                                  unsigned channels, const MODEL_FLASH struct model_channels *to)
{
    const MODEL_FLASH uint8_t *w = (const MODEL_FLASH uint8_t *)to->weights;
    int8_t table[1u << @BITS@];
    for (unsigned i = 0; i < sizeof table; i++) {
        table[i] = (int8_t)*w++;
    }
    for (unsigned i = first; i < first + channels; i++) {
        const int8_t *v = x;
        int32_t sum = to->bias[i];
        for (unsigned k = n / 8u; k; k--, v += 8, w += @BITS@) {
@PRODUCTS@
        }
        for (unsigned k = 0; k < n % 8u; k++) {
            sum += *v++ * table[(unsigned)w[k / @EACH@u] >> @BITS@u * (k % @EACH@u) & @MASK@u];
        }
        w += (n % 8u + @EACH@u - 1u) / @EACH@u;
        *y++ = model_output(sum, to, i);
    }
}
