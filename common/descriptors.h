/* descriptors.h - standard input, output and error are there. */
#ifndef SR_DESCRIPTORS_H
#define SR_DESCRIPTORS_H
#include <stdbool.h>

/* Fill those that are closed, which a connection to Redis would take otherwise, and get what was printed. For the beginning of main(). */
bool sr_descriptors_fill(void);

#endif
