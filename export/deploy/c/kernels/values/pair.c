/* Two operands: sizes and steps of three dimensions, zero points, and factors of each and of the
 * result. */
struct model_pair {
    int size[3], x_step[3], z_step[3];
    int x_zero, z_zero, zero, low, high;
    int32_t x_multiplier, z_multiplier, multiplier;
    int x_shift, z_shift, shift;
};
