
/* Unpacks n weights: with fewer than 8 bits they are places in a table that stands first; sparse,
 * a bit for each says whether it is stored or zero. */
static void model_unpack(int8_t *to, size_t n, const uint8_t *table, unsigned bits, int sparse)
{
    const uint8_t *mask = table + (bits < 8u ? 1u << bits : 0u);
    const uint8_t *codes = mask + (sparse ? (n + 7u) / 8u : 0u);
    size_t at = 0; /* in bits */
    for (size_t i = 0; i < n; i++) {
        to[i] = 0;
        if (!sparse || (mask[i / 8u] >> i % 8u & 1)) {
            const unsigned code = codes[at / 8u] >> at % 8u & ((1u << bits) - 1u);
            to[i] = (int8_t)(bits < 8u ? table[code] : code);
            at += bits;
        }
    }
}
/* -- */

/* Makes a table of n values of the steps from one to the next. */
static void model_sum(int8_t *table, size_t n)
{
    int sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += table[i];
        table[i] = (int8_t)sum;
    }
}
/* -- */

/* Makes 16 bits of n weights. */
static void model_widen(int16_t *to, const int8_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i];
    }
}
/* -- */

/* What JavaScript calls: `unpack` once, `at` for where each input and output stands, `run`. */
@BUFFERS@

__attribute__((export_name("unpack"))) void model_exported_unpack(void);
__attribute__((export_name("at"))) void *model_exported_at(unsigned number);
__attribute__((export_name("run"))) void model_exported_run(void);

void model_exported_unpack(void)
{
@UNPACK@
}

void *model_exported_at(unsigned number)
{
    void *const ends[] = {@ENDS@};
    return ends[number];
}

void model_exported_run(void)
{
    model_run(@ENDS@);
}
