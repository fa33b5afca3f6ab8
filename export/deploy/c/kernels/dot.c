/* Adds products of n inputs with the weights of four rows to four sums. The weights of four rows
 * stand side by side: four of the first, four of the second, ..., then the next four of each;
 * what is left at the end likewise. */
static void model_dot4(const int8_t *x, const MODEL_FLASH int8_t *w, unsigned n, int32_t *sum)
{
    int32_t a = sum[0], b = sum[1], c = sum[2], d = sum[3];
    unsigned k = n / 4u;
    const unsigned rest = n % 4u;
    for (; k; k--, x += 4, w += 16) {
        a += x[0] * w[0] + x[1] * w[1] + x[2] * w[2] + x[3] * w[3];
        b += x[0] * w[4] + x[1] * w[5] + x[2] * w[6] + x[3] * w[7];
        c += x[0] * w[8] + x[1] * w[9] + x[2] * w[10] + x[3] * w[11];
        d += x[0] * w[12] + x[1] * w[13] + x[2] * w[14] + x[3] * w[15];
    }
    for (k = 0; k < rest; k++) {
        a += x[k] * w[k];
        b += x[k] * w[rest + k];
        c += x[k] * w[2u * rest + k];
        d += x[k] * w[3u * rest + k];
    }
    sum[0] = a;
    sum[1] = b;
    sum[2] = c;
    sum[3] = d;
}

/* Returns sum plus the products of n inputs with the weights of one row. */
static int32_t model_dot(const int8_t *x, const MODEL_FLASH int8_t *w, unsigned n, int32_t sum)
{
    for (; n; n--) {
        sum += *x++ * *w++;
    }
    return sum;
}
