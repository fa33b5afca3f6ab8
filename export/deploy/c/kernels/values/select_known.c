/* Values of x where a constant's bit is set, of z elsewhere; one that is a null pointer is all
 * x_fill, or z_fill. The bits are those of `period` values, again and again. */
static void model_select_known(const MODEL_FLASH int8_t *bits, unsigned period, const int8_t *x,
                               const int8_t *z, int8_t *y, int x_fill, int z_fill, unsigned n)
{
    for (unsigned i = 0, place = 0; i < n; i++) {
        if ((unsigned)bits[place / 8u] >> (place % 8u) & 1u) {
            y[i] = x ? x[i] : (int8_t)x_fill;
        } else {
            y[i] = z ? z[i] : (int8_t)z_fill;
        }
        place = place + 1u < period ? place + 1u : 0u;
    }
}
