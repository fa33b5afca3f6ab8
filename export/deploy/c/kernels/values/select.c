/* Rows of x where `chosen` is not 0, of z elsewhere; one that is a null pointer is all x_fill, or
 * z_fill. */
static void model_select(const int8_t *chosen, const int8_t *x, const int8_t *z, int8_t *y,
                         int x_fill, int z_fill, unsigned rows, unsigned bytes)
{
    for (unsigned i = 0; i < rows; i++, y += bytes) {
        const int8_t *from = chosen[i] ? x : z;
        if (!from) {
            memset(y, chosen[i] ? x_fill : z_fill, bytes);
        } else if (from + i * bytes != y) {
            memcpy(y, from + i * bytes, bytes);
        }
    }
}
