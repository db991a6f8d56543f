# sse-resilience. `make help` lists the targets. CFLAGS, CPPFLAGS and LDFLAGS are the user's; ours stand apart.
CC       ?= gcc
CFLAGS   ?= -O2 -g
PKG      ?= pkg-config
BUILD    ?= build
SANITIZE ?=
WERROR   ?=
V        ?=
# One short line a file; V=1 shows the commands.
say       = $(if $(V),,@echo "  $(1)" &&) 

SR_WARN   = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wwrite-strings \
            -Wformat=2 -Wno-format-nonliteral $(if $(WERROR),-Werror)
SR_HARDEN = -fstack-protector-strong -fPIE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
SR_LINK   = -pie -Wl,-z,relro,-z,now
ifneq ($(SANITIZE),)
SR_HARDEN = -fPIE -fsanitize=$(SANITIZE) -fno-omit-frame-pointer $(if $(findstring undefined,$(SANITIZE)),-fno-sanitize-recover=all)
SR_LINK   = -pie -fsanitize=$(SANITIZE)
endif
SR_CFLAGS = -std=c11 -D_GNU_SOURCE -I. -I$(BUILD) -pthread $(SR_WARN) $(SR_HARDEN) -MMD -MP
SR_LIBS   = $(shell $(PKG) --libs hiredis json-c) -lev -lm -pthread

COMMON   = err mem buf clock resident descriptors log id utf8 json json_scan sse ndjson conf conf_table conf_value conf_address conf_file conf_load conf_args \
           conf_help keys call script reply address redis redis_commands registry registry_read monitor metrics session batch notify tee backlog producer producer_send \
           lib/producer_handle lib/sse_resilience
FCGI     = main cgi relay response intake intake_thread parse inspect record request client frame viewer viewer_send viewer_read turn channel table hub beats answer route recover health scrape body discard \
           token form change change_head publish publish_form manage
GUARDIAN = main guardian round canary sweep sample pace heal report link late dry
CLI      = main command ctl output interrupt word produce bulk watch list scan age orphans show recover status monitor nodes metrics check script snippet fill \
           top top_draw look picture screen columns \
           run wrap wrap_job lookout job spawn foreground mapper percent tail ending \
           redis_info rights process fcgi_ask doctor doctor_host doctor_socket doctor_redis doctor_settings doctor_rights doctor_trial doctor_nodes \
           doctor_web doctor_probe doctor_identity doctor_reach doctor_live doctor_trust doctor_away doctor_cure doctor_watch web
SCRIPTS  = $(sort $(wildcard common/lua/*.lua))
# What the library needs of it, made apart: position-independent, hidden, and without the log.
LIBRARY  = err mem buf clock log_none id utf8 json json_scan ndjson conf conf_table conf_value conf_address conf_file conf_load \
           keys call script reply address redis redis_commands registry registry_read batch backlog producer producer_send producer_handle sse_resilience
UNIT     = $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))

PROGRAMS = $(BUILD)/sse-fcgi $(BUILD)/sse-guardian $(BUILD)/ssectl
SO       = libsse-resilience.so
VERSION  = $(shell sed -n 's/^.define SR_VERSION "\(.*\)"/\1/p' common/conf.h)
LIBRARIES = $(BUILD)/$(SO) $(BUILD)/libsse-resilience.a $(BUILD)/sse-resilience.pc

.DEFAULT_GOAL := all
.PHONY: all
all: $(PROGRAMS) $(LIBRARIES) ## build build/sse-fcgi, build/sse-guardian, build/ssectl, and the C library (docs: the manuals)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC $<)$(CC) $(CPPFLAGS) $(SR_CFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/scripts.inc: common/lua/embed.sh $(SCRIPTS) $(wildcard common/lua/lib/*.lua)
	@mkdir -p $(@D)
	$(call say,LUA $@)sh common/lua/embed.sh $(SCRIPTS) >$@.tmp && mv $@.tmp $@
$(BUILD)/common/script.o: $(BUILD)/scripts.inc

$(BUILD)/libcommon.a: $(COMMON:%=$(BUILD)/common/%.o)
	$(call say,AR $@)rm -f $@ && ar rcs $@ $^

$(BUILD)/sse-fcgi: $(FCGI:%=$(BUILD)/fcgi/%.o) $(BUILD)/libcommon.a
	$(call say,LD $@)$(CC) $(SR_LINK) $(LDFLAGS) -o $@ $^ -lfcgi $(SR_LIBS)
$(BUILD)/sse-guardian: $(GUARDIAN:%=$(BUILD)/guardian/%.o) $(BUILD)/libcommon.a
	$(call say,LD $@)$(CC) $(SR_LINK) $(LDFLAGS) -o $@ $^ $(SR_LIBS)
$(BUILD)/ssectl: $(CLI:%=$(BUILD)/cli/%.o) $(BUILD)/libcommon.a
	$(call say,LD $@)$(CC) $(SR_LINK) $(LDFLAGS) -o $@ $^ $(SR_LIBS)

# --- the C library -----------------------------------------------------------------------------------------------

LIBRARY_OBJECTS = $(foreach o,$(LIBRARY),$(BUILD)/pic/$(if $(wildcard common/lib/$o.c),lib/)$o.o)
# What no sse_ function needs (the command line, --help) is left out. Not with a sanitizer, which keeps lists of all there is.
LIBRARY_CFLAGS  = -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections
LIBRARY_SHARED  = -Wl,--gc-sections,-z,defs,-z,nodelete,-z,relro,-z,now
LIBRARY_ONE     = -Wl,--gc-sections $$(nm -P -g --defined-only $(LIBRARY_OBJECTS) | sed -n 's/^\(sse_[a-z_]*\) T .*/-Wl,-u,\1/p')
ifneq ($(SANITIZE),)
LIBRARY_SHARED  =
LIBRARY_ONE     =
endif

$(BUILD)/pic/%.o: common/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC $< for the library)$(CC) $(CPPFLAGS) $(SR_CFLAGS) $(LIBRARY_CFLAGS) $(CFLAGS) -c -o $@ $<
$(BUILD)/pic/script.o: $(BUILD)/scripts.inc

# A lookup's thread may still run its code after dlclose(): nodelete.
$(BUILD)/$(SO).$(VERSION): $(LIBRARY_OBJECTS) common/lib/libsse-resilience.map
	$(call say,LD $@)$(CC) -shared $(if $(SANITIZE),-fsanitize=$(SANITIZE)) -Wl,-soname,$(SO).0 \
	  -Wl,--version-script=common/lib/libsse-resilience.map $(LIBRARY_SHARED) $(LDFLAGS) -o $@ $(LIBRARY_OBJECTS) $(SR_LIBS)
$(BUILD)/$(SO).0: $(BUILD)/$(SO).$(VERSION)
	@ln -sf $(SO).$(VERSION) $@
$(BUILD)/$(SO): $(BUILD)/$(SO).0
	@ln -sf $(SO).0 $@

# One object, in which only sse_ names are global: a program may have its own sr_buf_init.
$(BUILD)/libsse-resilience.a: $(LIBRARY_OBJECTS)
	$(call say,AR $@)$(CC) -r -nostdlib $(LIBRARY_ONE) -o $(BUILD)/pic/libsse-resilience.o $^ && \
	  objcopy --wildcard --keep-global-symbol='sse_*' $(BUILD)/pic/libsse-resilience.o && rm -f $@ && ar rcs $@ $(BUILD)/pic/libsse-resilience.o

$(BUILD)/sse-resilience.pc: common/lib/sse-resilience.pc.in Makefile
	@mkdir -p $(@D)
	$(call say,PC $@)sed 's|@prefix@|$(prefix)|; s|@libdir@|$(call below_prefix,$(libdir))|; s|@includedir@|$(call below_prefix,$(includedir))|; s|@version@|$(VERSION)|' $< >$@
# So that pkg-config --define-variable=prefix=... moves them, too.
below_prefix = $(patsubst $(prefix)/%,$${prefix}/%,$(1))

# Each tests/unit/test_X.c is one Criterion program over the common library and the pure parts of the programs.
PURE      = $(BUILD)/fcgi/inspect.o $(BUILD)/fcgi/record.o $(BUILD)/fcgi/frame.o $(BUILD)/fcgi/table.o $(BUILD)/fcgi/request.o $(BUILD)/fcgi/body.o $(BUILD)/fcgi/response.o $(BUILD)/fcgi/relay.o $(BUILD)/fcgi/form.o \
            $(BUILD)/fcgi/token.o $(BUILD)/guardian/pace.o $(BUILD)/cli/output.o \
            $(BUILD)/cli/mapper.o $(BUILD)/cli/percent.o $(BUILD)/cli/tail.o $(BUILD)/cli/ending.o $(BUILD)/cli/word.o \
            $(BUILD)/cli/columns.o $(BUILD)/cli/age.o $(BUILD)/cli/picture.o $(BUILD)/cli/fill.o $(BUILD)/cli/doctor_cure.o
SUPPORT   = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(PURE) $(SUPPORT) $(BUILD)/libcommon.a
	@mkdir -p $(@D)
	$(call say,LD $@)$(CC) $(SR_LINK) $(LDFLAGS) -o $@ $^ -lcriterion $(SR_LIBS)
.PHONY: units
units: $(UNIT:%=$(BUILD)/unit/%) ## build the Criterion programs
.SECONDARY: $(UNIT:%=$(BUILD)/tests/unit/%.o) $(SUPPORT)

include deploy/install.mk

# --- run ---------------------------------------------------------------------------------------------------------

PORT    ?= 8080
RUN_DIR ?= run
INPUT   ?=
export PORT RUN_DIR INPUT BUILD

.PHONY: run
run: ## install what is missing, build, and run everything on 127.0.0.1:PORT (PORT, RUN_DIR, INPUT=file)
	@sh deploy/install-deps.sh build run
	@$(MAKE) --no-print-directory all
	@exec setpriv --pdeathsig TERM deploy/run.sh

# --- test --------------------------------------------------------------------------------------------------------

.PHONY: deps-test test check check-units check-client check-stories
deps-test:
	@sh deploy/install-deps.sh build run test

test: deps-test ## install what is missing, build, and run every test
	@$(MAKE) --no-print-directory all units
	@$(MAKE) --no-print-directory check-units check-client check-stories

check-units: all units ## only the Criterion programs
	sh tests/run-units.sh $(UNIT:%=$(BUILD)/unit/%)

check-stories: all tests/node_modules/.stamp ## only the stories (STORY=tests/stories/main.test.mjs for one)
	SR_BUILD=$(abspath $(BUILD)) bash tests/run-stories.sh $(STORY)

check-client: client/node_modules/.stamp ## build the page's module (client/dist) and test it: sizes, states, random cuts, React 16 to 19, the package
	cd client && node build.mjs
	cd client && timeout --kill-after=10 300 node --test --test-reporter=spec test/*.test.mjs

.PHONY: test-browser check-browser
test-browser: ## the page's side in Chromium, Firefox and WebKitGTK: install what is missing, build, and run all of it
	@sh deploy/install-deps.sh build run test browser
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory check-browser

check-browser: all tests/node_modules/.stamp tests/browser/node_modules/.stamp client/node_modules/.stamp ## only that (STORY=tests/browser/soak.test.mjs for one)
	cd client && node build.mjs
	SR_BUILD=$(abspath $(BUILD)) bash tests/run-stories.sh $(or $(STORY),$(wildcard tests/browser/*.test.mjs))

tests/browser/node_modules/.stamp: tests/browser/package-lock.json
	cd tests/browser && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

client/node_modules/.stamp: client/package-lock.json
	cd client && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

tests/node_modules/.stamp: tests/package-lock.json
	cd tests && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: check-asan check-tsan check-valgrind
check-asan: deps-test ## every test under AddressSanitizer, LeakSanitizer and UBSan; a report fails the run
	@$(MAKE) --no-print-directory BUILD=build/asan SANITIZE=address,undefined CFLAGS='-O1 -g' WERROR=1 all units
	sh tests/with-sanitizer.sh build/asan/reports $(MAKE) --no-print-directory BUILD=build/asan SANITIZE=address,undefined CFLAGS='-O1 -g' WERROR=1 \
	  SR_SCALE=10 SR_PATIENCE=3 check-units check-stories

check-tsan: deps-test ## the hand-over from the intake threads to the loop, and the C library in two threads, under ThreadSanitizer
	@$(MAKE) --no-print-directory BUILD=build/tsan SANITIZE=thread CFLAGS='-O1 -g' WERROR=1 all
	sh tests/with-sanitizer.sh build/tsan/reports $(MAKE) --no-print-directory BUILD=build/tsan SANITIZE=thread CFLAGS='-O1 -g' WERROR=1 \
	  SR_SCALE=10 SR_PATIENCE=3 check-stories \
	  STORY='$(addprefix tests/stories/,$(addsuffix .test.mjs,race input drain http library))'

check-valgrind: deps-test ## the Criterion programs under Valgrind: errors, leaks and open descriptors
	@sh deploy/install-deps.sh lint
	@$(MAKE) --no-print-directory units
	sh tests/run-valgrind.sh $(UNIT:%=$(BUILD)/unit/%)

# --- lint --------------------------------------------------------------------------------------------------------

SOURCES = $(wildcard common/*.c common/lib/*.c fcgi/*.c guardian/*.c cli/*.c deploy/man/*.c)
HEADERS = $(wildcard common/*.h common/lib/*.h fcgi/*.h guardian/*.h cli/*.h)

.PHONY: lint
lint: ## include rules, headers alone, gcc and clang with -Werror, cppcheck, clang-tidy, luac -p, sh -n, the manuals, the examples' syntax
	@sh deploy/install-deps.sh build test lint
	@sh tests/lint/includes.sh
	@sh tests/lint/headers.sh "$(CC)" $(HEADERS)
	@$(MAKE) --no-print-directory BUILD=build/lint-gcc CC=gcc WERROR=1 all units
	@$(MAKE) --no-print-directory BUILD=build/lint-clang CC=clang WERROR=1 all units
	@sh tests/lint/library.sh build/lint-gcc "$(CC)"
	@sh tests/lint/library.sh build/lint-clang clang
	@$(MAKE) --no-print-directory BUILD=build/lint-gcc docs
	@sh tests/lint/manuals.sh build/lint-gcc
	@sh tests/lint/scripts.sh $(SCRIPTS)
	@sh tests/lint/manual.sh
	@sh tests/lint/examples.sh deploy/examples/*
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	  --suppress=missingIncludeSystem -I. -Ibuild/lint-gcc -D_GNU_SOURCE $(SOURCES)
	shellcheck --severity=warning deploy/*.sh deploy/snippets/*.sh deploy/cgi/*.cgi deploy/init.d/*.in deploy/demo/start.cgi deploy/examples/*.sh \
	  tests/*.sh tests/lint/*.sh common/lua/*.sh .ci/run
	printf "%s\n" $(SOURCES) | xargs -P2 -n8 sh -c 'exec clang-tidy --quiet "$$@" -- -std=c11 -D_GNU_SOURCE -I. -Ibuild/lint-gcc' tidy

.PHONY: clean
clean: ## remove what was built
	rm -rf build client/dist

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

-include $(shell find $(BUILD) -type f -name '*.d' 2>/dev/null)
