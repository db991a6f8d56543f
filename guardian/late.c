#include "guardian/late.h"

#include "common/clock.h"
#include <time.h>

static int64_t boot_ms(void)
{
	struct timespec t = {0};

	clock_gettime(CLOCK_BOOTTIME, &t); /* Linux since 2.6.39 */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void sr_late_mark(struct sr_late *late)
{
	late->monotonic_ms = sr_clock_mono();
	late->boot_ms = boot_ms();
}

int64_t sr_late_since(const struct sr_late *late)
{
	int64_t monotonic = sr_clock_mono() - late->monotonic_ms, boot = boot_ms() - late->boot_ms;

	return boot > monotonic ? boot : monotonic;
}
