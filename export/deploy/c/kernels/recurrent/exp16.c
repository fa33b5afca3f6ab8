/* 2^-15 a * b, rounded: gemmlowp's SaturatingRoundingDoublingHighMul of 16 bits. */
static int32_t model_product16(int32_t a, int32_t b)
{
    return model_narrow16((a * b + ((int32_t)1 << 14)) >> 15, -32768, 32767);
}

/* x / 2^n, rounded, halves away from zero: gemmlowp's RoundingDivideByPOT. */
static int32_t model_divide16(int32_t x, int n)
{
    return n == 0 ? x : (((x + (x < 0 ? -1 : 0)) >> (n - 1)) + 1) >> 1;
}

/* exp(x) for x <= 0 with `bits` bits before the point, as a share of 2^15: gemmlowp's
 * exp_on_negative_values, fixedpoint/fixedpoint.h. */
static int32_t model_exp16(int32_t x, int bits)
{
    static const MODEL_FLASH int16_t steps[7] = {25520, 19875, 12055, 4435, 600, 11, 0};
    const int32_t quarter = (int32_t)1 << (13 - bits);
    const int32_t part = (x & (quarter - 1)) - quarter; /* in [-1/4, 0) */
    const int32_t remainder = part - x;
    const int32_t near = part * ((int32_t)1 << bits) + 4096;
    const int32_t near2 = model_product16(near, near);
    const int32_t near3 = model_product16(near2, near);
    const int32_t near4 = model_product16(near2, near2);
    const int32_t tail =
        model_divide16(model_product16(model_divide16(near4, 2) + near3, 10923) + near2, 1);
    int32_t result =
        model_narrow16(28918 + model_product16(28918, near + tail), -32768, 32767);
    for (int i = 0; i < bits + 2 && i < 7; i++) {
        if (remainder & (quarter << i)) {
            result = model_product16(result, steps[i]);
        }
    }
    if (bits > 5 && x < -((int32_t)1 << (20 - bits))) {
        return 0;
    }
    return x == 0 ? 32767 : result;
}

/* 2 / (1 + x) for x in [0, 1) with 2 bits before the point: Newton's method, as in gemmlowp's
 * one_over_one_plus_x_for_x_in_0_1. */
static int32_t model_inverse16(int32_t x)
{
    const int32_t half = (x + 32767 + 1) / 2;
    int32_t found = 23130 + model_product16(half, -15420); /* 48/17 - 32/17 * half */
    for (int i = 0; i < 3; i++) {
        const int32_t error = 8192 - model_product16(half, found);
        found += model_narrow16(model_product16(found, error) * 4, -32768, 32767);
    }
    return found;
}

/* Of 3 bits before the point, as shares of 2^15. */
static int32_t model_logistic(int32_t x)
{
    const int32_t inverse = model_inverse16(model_exp16(x > 0 ? -x : x, 3));
    const int32_t found = model_narrow16(inverse * 2, -32768, 32767);
    return x == 0 ? 16384 : x > 0 ? found : 32767 - found;
}

/* Of `bits` bits before the point, as shares of 2^15. */
static int32_t model_tanh(int32_t x, int bits)
{
    const int32_t inverse = model_inverse16(model_exp16(x > 0 ? -x : x, bits + 1));
    const int32_t found = model_narrow16((inverse - 8192) * 4, -32768, 32767);
    return x == 0 ? 0 : x > 0 ? found : -found;
}
