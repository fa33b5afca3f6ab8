/* 2^-31 a * b, rounded: gemmlowp's SaturatingRoundingDoublingHighMul. */
static int32_t model_product(int32_t a, int32_t b)
{
    if (a == b && a == INT32_MIN) {
        return INT32_MAX;
    }
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* x / 2^n, rounded, halves away from zero: gemmlowp's RoundingDivideByPOT. */
static int32_t model_divide(int32_t x, int n)
{
    const int32_t mask = (int32_t)(((uint32_t)1 << n) - 1u);
    const int32_t half = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> n) + ((x & mask) > half ? 1 : 0);
}

/* How many exponentials are kept on the stack, not computed again. */
#if defined(__x86_64__) || defined(__aarch64__) || defined(__wasm__)
#define MODEL_KEPT 256u
#elif defined(__ARM_ARCH_6M__) /* without a long multiplication */
#define MODEL_KEPT 16u
#endif

/* exp(x) for x <= 0 with 5 bits before the point and 26 behind it, as a share of 2^31:
 * gemmlowp's exp_on_negative_values, fixedpoint/fixedpoint.h. */
static int32_t model_exp(int32_t x)
{
    static const MODEL_FLASH int32_t steps[7] = {1672461947, 1302514674, 790015084, 290630308,
                                                 39332535,   720401,     242};
    const int32_t quarter = (int32_t)1 << 24;
    const int32_t part = (x & (quarter - 1)) - quarter; /* in [-1/4, 0) */
    const int32_t remainder = part - x;
    const int32_t near = (int32_t)((uint32_t)part << 5) + ((int32_t)1 << 28);
    const int32_t near2 = model_product(near, near);
    const int32_t near3 = model_product(near2, near);
    const int32_t near4 = model_product(near2, near2);
    const int32_t tail =
        model_divide(model_product(model_divide(near4, 2) + near3, 715827883) + near2, 1);
    int32_t result = 1895147668 + model_product(1895147668, near + tail);
    for (int i = 0; i < 7; i++) {
#if defined(__x86_64__) || defined(__aarch64__) || defined(__wasm__) /* which would foresee a branch badly */
        const int32_t taken = -(int32_t)((uint32_t)remainder >> (24 + i) & 1u);
        result = (model_product(result, steps[i]) & taken) | (result & ~taken);
#else
        if (remainder & (int32_t)((uint32_t)1 << (24 + i))) {
            result = model_product(result, steps[i]);
        }
#endif
    }
    return x == 0 ? INT32_MAX : result;
}

/* 1 / (1 + x) for x in [0, 1), as shares of 2^31: gemmlowp's one_over_one_plus_x_for_x_in_0_1. */
static int32_t model_reciprocal(int32_t x)
{
    const int64_t sum = (int64_t)x + INT32_MAX;
    const int32_t half = (int32_t)((sum + (sum >= 0 ? 1 : -1)) / 2);
    int32_t found = 1515870810 + model_product(half, -1010580540); /* 48/17 - 32/17 * half */
    for (int i = 0; i < 3; i++) {
        const int32_t error = ((int32_t)1 << 29) - model_product(half, found);
        const int32_t product = model_product(found, error);
        const int32_t limit = (int32_t)1 << 29;
        found += product >= limit                ? INT32_MAX
                 : product <= -limit             ? INT32_MIN
                                                 : (int32_t)((uint32_t)product << 2);
    }
    return found >= ((int32_t)1 << 30) ? INT32_MAX : (int32_t)((uint32_t)found << 1);
}

static int32_t model_power(int below, int32_t multiplier, int shift)
{
    return model_exp(model_product((int32_t)((uint32_t)below << shift), multiplier));
}

#if defined(MODEL_KEPT)
/* The powers of n values below the largest; what is below the least has the least one's. */
static inline void model_powers(const int8_t *x, int32_t *powers, unsigned n, int largest,
                                int least, int32_t multiplier, int shift)
{
#if defined(__AVX2__)
    for (unsigned i = 0; i < n; i += 8u) {
        int8_t some[8] = {0};
        for (unsigned j = i; j < n && j < i + 8u; j++) {
            some[j - i] = x[j];
        }
        const __m256i below =
            _mm256_sub_epi32(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)some)),
                             _mm256_set1_epi32(largest));
        const __m256i given = _mm256_max_epi32(below, _mm256_set1_epi32(least));
        const __m256i scaled = model_product8(_mm256_sll_epi32(given, _mm_cvtsi32_si128(shift)),
                                              _mm256_set1_epi32(multiplier));
        _mm256_storeu_si256((__m256i *)(void *)(powers + i), model_exp8(scaled));
    }
#else
    for (unsigned i = 0; i < n; i++) {
        const int below = x[i] - largest;
        powers[i] = model_power(below > least ? below : least, multiplier, shift);
    }
#endif
}
#endif

/* Softmax of each row of n, as LiteRT's reference kernel computes it. */
static void model_softmax(const int8_t *x, int8_t *y, unsigned rows, unsigned n,
                          int32_t multiplier, int shift, int least)
{
#if defined(MODEL_KEPT)
    int32_t kept[MODEL_KEPT + 8u];
#endif
    for (; rows; rows--, x += n, y += n) {
        int largest = -128, bits = 0;
        int32_t sum = 0, scale;
        uint32_t normal;
        for (unsigned i = 0; i < n; i++) {
            largest = x[i] > largest ? x[i] : largest;
        }
#if defined(MODEL_KEPT)
        if (n <= MODEL_KEPT) {
            model_powers(x, kept, n, largest, least, multiplier, shift);
        }
#define MODEL_POWER(i) (n <= MODEL_KEPT ? kept[i] : model_power(below, multiplier, shift))
#else
#define MODEL_POWER(i) model_power(below, multiplier, shift)
#endif
        for (unsigned i = 0; i < n; i++) {
            const int below = x[i] - largest;
            if (below >= least) {
                sum += model_divide(MODEL_POWER(i), 12);
            }
        }
        for (normal = (uint32_t)sum; !(normal >> 31); normal <<= 1) {
            bits++;
        }
        scale = model_reciprocal((int32_t)(normal - ((uint32_t)1 << 31)));
        for (unsigned i = 0; i < n; i++) {
            const int below = x[i] - largest;
            int32_t value = -128;
            if (below >= least) {
                value += model_divide(model_product(scale, MODEL_POWER(i)), 12 - bits + 31 - 8);
            }
            y[i] = model_narrow(value, -128, 127);
        }
    }
}
