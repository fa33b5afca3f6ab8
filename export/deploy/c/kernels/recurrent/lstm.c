/* An LSTM: weights of input and state, 4 gates' rows behind each other; the factors of their sums,
 * the input's 4 first; how the carry's unit is 2^carry_power, and the output's factor. */
struct model_lstm {
    const MODEL_FLASH int8_t *input_weights;
    const MODEL_FLASH int32_t *input_bias;
    const MODEL_FLASH int8_t *state_weights;
    const MODEL_FLASH int32_t *state_bias;
    int32_t multiplier[8];
    int shift[8];
    unsigned steps, features, units;
    int sequences; /* whether the output is that of all steps */
    int carry_power;
    int32_t output_multiplier;
    int output_shift, zero;
};

/* Adds n inputs times the weights of `rows` rows to what the gates have, in their unit. */
static void model_lstm_sums(const int8_t *x, const MODEL_FLASH int8_t *w,
                            const MODEL_FLASH int32_t *bias, unsigned n, int16_t *gates,
                            const MODEL_FLASH struct model_lstm *at, unsigned factor)
{
    for (unsigned i = 0; i < 4u * at->units; i += 4u, w += 4u * (size_t)n) {
        int32_t sum[4];
        for (unsigned j = 0; j < 4u; j++) {
            sum[j] = bias[i + j];
        }
        model_dot(x, w, n, sum, 1);
        for (unsigned j = 0; j < 4u; j++) {
            const unsigned which = factor + (i + j) / at->units;
            const int32_t found = model_scale(sum[j], at->multiplier[which], at->shift[which]);
            gates[i + j] = model_narrow16(gates[i + j] + found, -32768, 32767);
        }
    }
}

/* LstmStepInteger8x8_16 in tensorflow/lite/kernels/lstm_eval.cc, step by step, from states of
 * zeros on. `scratch` holds the carry and the gates. */
static void model_lstm(const int8_t *x, int8_t *y, int8_t *scratch,
                       const MODEL_FLASH struct model_lstm *at)
{
    const unsigned units = at->units;
    int16_t *const carry = (int16_t *)(void *)scratch, *const gates = carry + units;
    const int8_t *before = y;
    memset(carry, 0, units * sizeof *carry);
    for (unsigned step = 0; step < at->steps; step++, x += at->features) {
        memset(gates, 0, 4u * units * sizeof *gates);
        model_lstm_sums(x, at->input_weights, at->input_bias, at->features, gates, at, 0);
        if (step > 0) { /* a state of zeros adds nothing */
            model_lstm_sums(before, at->state_weights, at->state_bias, units, gates, at, 4);
        }
        before = y;
        for (unsigned i = 0; i < units; i++) {
            const int32_t input = model_logistic(gates[i]);
            const int32_t forget = model_logistic(gates[units + i]);
            const int32_t cell = model_tanh(gates[2u * units + i], 3);
            const int32_t output = model_logistic(gates[3u * units + i]);
            const int32_t kept = model_divide16(forget * carry[i], 15);
            const int32_t added = model_divide16(input * cell, 30 + at->carry_power);
            int32_t found;
            carry[i] = model_narrow16(kept + (int16_t)added, -32768, 32767);
            found = output * model_tanh(carry[i], 15 + at->carry_power);
            found = model_scale(found, at->output_multiplier, at->output_shift) + at->zero;
            y[i] = model_narrow(found, -128, 127);
        }
        y += at->sequences ? units : 0u;
    }
}
