/* A program with nothing but the model: what it takes of flash and RAM. */
#include "model.h"
#include "run.h"

int8_t given[GIVEN_BYTES] ALIGNED, made[MADE_BYTES] ALIGNED;

int main(void)
{
    for (;;) {
        RUN(given, made);
    }
}
