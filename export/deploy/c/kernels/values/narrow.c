static int8_t model_narrow(int32_t x, int low, int high)
{
    return (int8_t)(x < low ? low : x > high ? high : x);
}
