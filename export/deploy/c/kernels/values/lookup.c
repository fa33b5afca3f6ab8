/* Rows of a table by their numbers, from the end for those below 0 if `from_end`. A number that is
 * none of the table's, which LiteRT refuses to compute with, has the first row. */
static void model_lookup(const int32_t *ids, int8_t *y, unsigned n, const MODEL_FLASH int8_t *rows,
                         int32_t count, unsigned size, int from_end)
{
    for (; n; n--, ids++) {
        const int32_t id = *ids < 0 && from_end ? *ids + count : *ids;
        const MODEL_FLASH int8_t *row = rows + (id < 0 || id >= count ? 0u : (size_t)id * size);
        for (unsigned i = 0; i < size; i++) {
            *y++ = row[i];
        }
    }
}
