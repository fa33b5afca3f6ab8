/* simulator MCU FIRMWARE INPUT OUTPUT GIVEN ANSWER: runs an AVR program in simavr, sends it each
 * GIVEN bytes of a file over the serial port, and keeps the ANSWER bytes that come back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>

#define HERTZ 16000000u
#define MOST_CYCLES ((avr_cycle_count_t)HERTZ * 3600u) /* of one answer */

static FILE *input, *output;
static long given, answer, to_send, to_come;
static int full, finished;
static avr_irq_t *port;

static void next(void)
{
    const int byte = fgetc(input);
    finished = byte == EOF;
    (void)ungetc(byte, input);
    to_send = finished ? 0 : given;
    to_come = answer;
}

static void send(struct avr_irq_t *irq, uint32_t value, void *param)
{
    (void)irq, (void)value, (void)param;
    for (full = 0; !full && to_send; to_send--) {
        avr_raise_irq(port, (uint32_t)fgetc(input));
    }
}

static void stop(struct avr_irq_t *irq, uint32_t value, void *param)
{
    (void)irq, (void)value, (void)param;
    full = 1;
}

static void receive(struct avr_irq_t *irq, uint32_t value, void *param)
{
    (void)irq, (void)param;
    fputc((int)value, output);
    if (--to_come == 0) {
        next();
    }
}

int main(int count, char **arguments)
{
    elf_firmware_t firmware;
    avr_t *avr;
    int state = cpu_Running;
    if (count != 7) {
        return 2;
    }
    memset(&firmware, 0, sizeof firmware);
    input = fopen(arguments[3], "rb");
    output = fopen(arguments[4], "wb");
    given = atol(arguments[5]);
    answer = atol(arguments[6]);
    avr = avr_make_mcu_by_name(arguments[1]);
    if (!input || !output || !avr || avr_init(avr) != 0 ||
        elf_read_firmware(arguments[2], &firmware) != 0) {
        return 2;
    }
    firmware.frequency = HERTZ;
    avr_load_firmware(avr, &firmware);
    uint32_t flags = 0; /* nothing of the port on the terminal */
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
    port = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
    avr_irq_register_notify(port + UART_IRQ_OUTPUT, receive, NULL);
    avr_irq_register_notify(port + UART_IRQ_OUT_XON, send, NULL);
    avr_irq_register_notify(port + UART_IRQ_OUT_XOFF, stop, NULL);
    next();
    while (!finished && state != cpu_Done && state != cpu_Crashed && avr->cycle < MOST_CYCLES) {
        state = avr_run(avr);
    }
    return finished && fclose(output) == 0 ? 0 : 1;
}
