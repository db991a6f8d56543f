#include "cli/doctor.h"

int sr_doctor_web(struct sr_doctor *d)
{
	sr_doctor_say(d, SR_NOTE, "web", NULL, "not built");
	return 0;
}
