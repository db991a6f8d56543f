# sse-resilience. `make help` lists the targets. CFLAGS, CPPFLAGS and LDFLAGS are the user's; ours stand apart.
CC       ?= gcc
CFLAGS   ?= -O2 -g
PKG      ?= pkg-config
BUILD    ?= build
SANITIZE ?=
WERROR   ?=

SR_WARN   = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wwrite-strings \
            -Wformat=2 -Wno-format-nonliteral $(if $(WERROR),-Werror)
SR_HARDEN = -fstack-protector-strong -fPIE -D_FORTIFY_SOURCE=2
SR_LINK   = -pie -Wl,-z,relro,-z,now
ifneq ($(SANITIZE),)
SR_HARDEN = -fPIE -fsanitize=$(SANITIZE) -fno-omit-frame-pointer $(if $(findstring undefined,$(SANITIZE)),-fno-sanitize-recover=all)
SR_LINK   = -pie -fsanitize=$(SANITIZE)
endif
SR_CFLAGS = -std=c11 -D_GNU_SOURCE -I. -I$(BUILD) -pthread $(SR_WARN) $(SR_HARDEN) -MMD -MP
SR_LIBS   = $(shell $(PKG) --libs hiredis json-c) -lev -lm -pthread

COMMON   = err mem buf clock log id utf8 json json_scan sse conf conf_table conf_value conf_address conf_file conf_args \
           conf_help keys call script reply address redis registry registry_read session
FCGI     = main intake inspect record request client frame viewer channel hub answer route recover health
GUARDIAN = main guardian round canary sweep sample pace heal report link late notify dry
CLI      = main command ctl output interrupt produce ndjson bulk watch list show
SCRIPTS  = $(sort $(wildcard common/lua/*.lua))
UNIT     = $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))

PROGRAMS = $(BUILD)/sse-fcgi $(BUILD)/sse-guardian $(BUILD)/ssectl

.DEFAULT_GOAL := all
.PHONY: all
all: $(PROGRAMS) ## build build/sse-fcgi, build/sse-guardian and build/ssectl

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(SR_CFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/scripts.inc: common/lua/embed.sh $(SCRIPTS) $(wildcard common/lua/lib/*.lua)
	@mkdir -p $(@D)
	sh common/lua/embed.sh $(SCRIPTS) >$@.tmp && mv $@.tmp $@
$(BUILD)/common/script.o: $(BUILD)/scripts.inc

$(BUILD)/libcommon.a: $(COMMON:%=$(BUILD)/common/%.o)
	rm -f $@ && ar rcs $@ $^

$(BUILD)/sse-fcgi: $(FCGI:%=$(BUILD)/fcgi/%.o) $(BUILD)/libcommon.a
	$(CC) $(SR_LINK) $(LDFLAGS) -o $@ $^ -lfcgi $(SR_LIBS)
$(BUILD)/sse-guardian: $(GUARDIAN:%=$(BUILD)/guardian/%.o) $(BUILD)/libcommon.a
	$(CC) $(SR_LINK) $(LDFLAGS) -o $@ $^ $(SR_LIBS)
$(BUILD)/ssectl: $(CLI:%=$(BUILD)/cli/%.o) $(BUILD)/libcommon.a
	$(CC) $(SR_LINK) $(LDFLAGS) -o $@ $^ $(SR_LIBS)

# Each tests/unit/test_X.c is one Criterion program over the common library and the pure parts of fcgi/.
$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/fcgi/inspect.o $(BUILD)/fcgi/record.o $(BUILD)/fcgi/frame.o $(BUILD)/guardian/pace.o \
                $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(CC) $(SR_LINK) $(LDFLAGS) -o $@ $^ -lcriterion $(SR_LIBS)
.PHONY: units
units: $(UNIT:%=$(BUILD)/unit/%) ## build the Criterion programs

.PHONY: clean
clean: ## remove what was built
	rm -rf build

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
