static int16_t model_narrow16(int32_t x, int32_t low, int32_t high)
{
    return (int16_t)(x < low ? low : x > high ? high : x);
}
