/* On this machine: runs the model on every input in input.bin, and writes output.bin. */
#include <stdio.h>

#include "model.h"
#include "run.h"

int main(void)
{
    static int8_t given[GIVEN_BYTES] ALIGNED, made[MADE_BYTES] ALIGNED;
    FILE *const in = fopen("input.bin", "rb"), *const out = fopen("output.bin", "wb");
    if (!in || !out) {
        return 1;
    }
    while (fread(given, sizeof given, 1, in) == 1) {
        RUN(given, made);
        if (fwrite(made, sizeof made, 1, out) != 1) {
            return 1;
        }
    }
    return fclose(out) != 0;
}
