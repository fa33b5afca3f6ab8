/* Adds products of n inputs with the weights of `blocks` times four rows to as many sums. The
 * weights of four rows stand side by side: four of the first, four of the second, ..., then the
 * next four of each; what is left at the end likewise. */
#define MODEL_ADD(input, at, apart)                                                                \
    do { /* each product alone: where an int has 16 bits, it holds one */                         \
        const int v = input;                                                                      \
        a += v * w[at];                                                                           \
        b += v * w[(apart) + (at)];                                                               \
        c += v * w[2u * (apart) + (at)];                                                          \
        d += v * w[3u * (apart) + (at)];                                                          \
    } while (0)
static inline void model_dot(const int8_t *x, const MODEL_FLASH int8_t *w, unsigned n,
                             int32_t *sum, const unsigned blocks)
{
    const unsigned rest = n % 4u;
    const unsigned done = model_dot_fast(x, w, n, sum, blocks);
    for (unsigned block = 0; block < blocks; block++, sum += 4) {
        const int8_t *given = x + done;
        int32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3];
        unsigned k;
        w += 4u * (size_t)done;
#if MODEL_STEP != 4
        for (k = done; k < n - rest; k += 4u, given += 4, w += 16) {
            MODEL_ADD(given[0], 0u, 4u);
            MODEL_ADD(given[1], 1u, 4u);
            MODEL_ADD(given[2], 2u, 4u);
            MODEL_ADD(given[3], 3u, 4u);
        }
#endif
        for (k = 0; k < rest; k++) {
            MODEL_ADD(given[k], k, rest);
        }
        w += 4u * rest;
        sum[0] = a;
        sum[1] = b;
        sum[2] = c;
        sum[3] = d;
    }
}

/* Returns sum plus the products of n inputs with the weights of one row. */
static inline int32_t model_dot_row(const int8_t *x, const MODEL_FLASH int8_t *w, unsigned n,
                                    int32_t sum)
{
    for (; n; n--) {
        sum += *x++ * *w++;
    }
    return sum;
}
