/* word.h - values of ssectl's own flags, in the form of the configuration. Pure. false leaves *out unchanged. */
#ifndef SR_WORD_H
#define SR_WORD_H
#include <stdbool.h>
#include <stdint.h>

/* Digits with ms, s, m or h, from `least` to `most` ms. */
bool sr_word_duration(const char *text, int64_t least, int64_t most, int64_t *out);
/* Digits with k, m or nothing, from `least` to `most` bytes. */
bool sr_word_size(const char *text, int64_t least, int64_t most, int64_t *out);
/* Digits, from 0 to `most`. */
bool sr_word_number(const char *text, int64_t most, int64_t *out);

#endif
