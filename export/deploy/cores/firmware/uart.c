/* On AVR: reads an input from the serial port, answers with the output, the cycles (4 bytes) and
 * how deep the stack went (2 bytes), and again. What an Arduino would be loaded with. */
#include <avr/interrupt.h>
#include <avr/io.h>

#include "model.h"
#include "run.h"
#include "stack.h"

extern uint8_t __heap_start[]; /* where variables end */

static int8_t given[GIVEN_BYTES] ALIGNED, made[MADE_BYTES] ALIGNED;
static volatile uint16_t overflows;

ISR(TIMER1_OVF_vect)
{
    overflows++;
}

static void send(const void *data, uint16_t count)
{
    for (const uint8_t *at = data; count; count--) {
        loop_until_bit_is_set(UCSR0A, UDRE0);
        UDR0 = *at++;
    }
}

int main(void)
{
    UCSR0A = _BV(U2X0);
    UBRR0 = 1; /* a million baud at 16 MHz */
    UCSR0B = _BV(RXEN0) | _BV(TXEN0);
    TCCR1B = _BV(CS10); /* timer 1 counts the chip's cycles */
    TIMSK1 = _BV(TOIE1);
    sei();
    for (;;) {
        uint32_t cycles;
        uint16_t used;
        uint8_t *const top = (uint8_t *)SP + 1; /* SP is the next free byte */
        for (uint16_t i = 0; i < GIVEN_BYTES; i++) {
            loop_until_bit_is_set(UCSR0A, RXC0);
            given[i] = (int8_t)UDR0;
        }
        paint(__heap_start, top);
        overflows = 0;
        TCNT1 = 0;
        RUN(given, made);
        cycles = TCNT1;
        cycles += (uint32_t)overflows << 16;
        used = (uint16_t)(top - lowest(__heap_start, top));
        send(made, MADE_BYTES);
        send(&cycles, sizeof cycles);
        send(&used, sizeof used);
    }
}
