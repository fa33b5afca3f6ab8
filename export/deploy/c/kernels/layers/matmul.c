/* Products of matrices, `batches` of them: how far apart batches, rows (of z columns) and values
 * along `depth` stand, and the zero points of x, z and y. */
struct model_matmul {
    int batches, rows, columns, depth;
    int x_batch, x_row, x_step, z_batch, z_column, z_step;
    int x_zero, z_zero, zero;
    int32_t multiplier;
    int shift;
};

static void model_matmul(const int8_t *x, const int8_t *z, int8_t *y,
                         const MODEL_FLASH struct model_matmul *at)
{
    for (int batch = 0; batch < at->batches; batch++, x += at->x_batch, z += at->z_batch) {
        for (int row = 0; row < at->rows; row++) {
            for (int column = 0; column < at->columns; column++) {
                const int8_t *p = x + row * at->x_row, *q = z + column * at->z_column;
                const int x_step = at->x_step, z_step = at->z_step;
                const int x_zero = at->x_zero, z_zero = at->z_zero;
                int32_t sum = 0;
                for (int k = at->depth; k; k--, p += x_step, q += z_step) {
                    sum += (int32_t)(*p - x_zero) * (*q - z_zero);
                }
                *y++ = model_narrow(model_scale(sum, at->multiplier, at->shift) + at->zero, -128,
                                    127);
            }
        }
    }
}
