/* @NAME@ of two operands of up to three dimensions; steps of 0 repeat values along a dimension. */
static void model_@NAME@(const int@BITS@_t *x, const @FLASH@ int@BITS@_t *z, int@BITS@_t *y,
                         const MODEL_FLASH struct model_pair *at)
{
    for (int i = 0; i < at->size[0]; i++) {
        for (int j = 0; j < at->size[1]; j++) {
            const int@BITS@_t *p = x + i * at->x_step[0] + j * at->x_step[1];
            const @FLASH@ int@BITS@_t *q = z + i * at->z_step[0] + j * at->z_step[1];
            for (int k = 0; k < at->size[2]; k++, p += at->x_step[2], q += at->z_step[2]) {
                const int32_t a = @A@;
                const int32_t b = @B@;
                *y++ = @NARROW@(@VALUE@, at->low, at->high);
            }
        }
    }
}
