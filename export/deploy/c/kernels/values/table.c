/* y = table[x]: an operator on one value, made by LiteRT's reference kernel for all 256. */
static void model_table(const int8_t *x, int8_t *y, unsigned n, const MODEL_FLASH int8_t *table)
{
    for (; n; n--) {
        *y++ = table[(uint8_t)*x++];
    }
}
