# install.mk - manuals, example configuration, completions, and where everything goes. Part of the Makefile.
# The GNU directory variables, and DESTDIR, may be given to make: make install prefix=/usr DESTDIR=/tmp/root
# sysconfdir is /etc, whatever the prefix: it is where the programs look, and where an administrator does.
prefix             ?= /usr/local
exec_prefix        ?= $(prefix)
bindir             ?= $(exec_prefix)/bin
sbindir            ?= $(exec_prefix)/sbin
libdir             ?= $(exec_prefix)/lib
includedir         ?= $(prefix)/include
datarootdir        ?= $(prefix)/share
datadir            ?= $(datarootdir)
mandir             ?= $(datarootdir)/man
docdir             ?= $(datarootdir)/doc/sse-resilience
sysconfdir         ?= /etc
pkgdatadir         ?= $(datadir)/sse-resilience
systemdsystemunitdir ?= $(prefix)/lib/systemd/system
sysusersdir        ?= $(prefix)/lib/sysusers.d
tmpfilesdir        ?= $(prefix)/lib/tmpfiles.d
bashcompletiondir  ?= $(datadir)/bash-completion/completions
zshcompletiondir   ?= $(datadir)/zsh/vendor-completions
fishcompletiondir  ?= $(datadir)/fish/vendor_completions.d
INSTALL            ?= install
export INSTALL

VERSION = $(shell sed -n 's/^\#define SR_VERSION "\(.*\)"/\1/p' common/conf.h)

# --- files that hold paths, or what the programs say of themselves -------------------------------------------------

DIRS = prefix=$(prefix) libdir=$(libdir) includedir=$(includedir) sbindir=$(sbindir) bindir=$(bindir) sysconfdir=$(sysconfdir) docdir=$(docdir) pkgdatadir=$(pkgdatadir) mandir=$(mandir) version=$(VERSION)
subst_dirs = sed $(foreach d,$(DIRS),-e 's|@$(firstword $(subst =, ,$(d)))@|$(patsubst $(firstword $(subst =, ,$(d)))=%,%,$(d))|g')

# Changes when a directory does, so that what holds one is made anew.
.PHONY: FORCE
FORCE:
$(BUILD)/.dirs: FORCE
	@mkdir -p $(@D)
	@echo '$(DIRS)' | cmp -s - $@ || echo '$(DIRS)' >$@
$(BUILD)/.sysconfdir: FORCE
	@mkdir -p $(@D)
	@echo '$(sysconfdir)' | cmp -s - $@ || echo '$(sysconfdir)' >$@
SR_CFLAGS += -DSR_CONF_PATH='"$(sysconfdir)/sse-resilience/sse-resilience.conf"'
$(COMMON:%=$(BUILD)/common/%.o) $(LIBRARY_OBJECTS) $(CLI:%=$(BUILD)/cli/%.o): $(BUILD)/.sysconfdir

MANUALS = $(patsubst deploy/man/%.in,$(BUILD)/man/%,$(wildcard deploy/man/*.[1-8].in)) \
          $(patsubst deploy/man/%,$(BUILD)/man/%,$(wildcard deploy/man/*.[1-8]))
UNITS   = $(patsubst deploy/systemd/%,$(BUILD)/systemd/%,$(filter %.socket %.service %.timer,$(patsubst %.in,%,$(wildcard deploy/systemd/*))))
SYSTEMD = $(UNITS) $(BUILD)/systemd/sse-resilience.sysusers $(BUILD)/systemd/sse-resilience.tmpfiles
HOSTING = $(BUILD)/init.d/sse-fcgi $(BUILD)/init.d/sse-guardian $(BUILD)/cron.d/sse-guardian $(BUILD)/logrotate.d/sse-resilience \
          $(patsubst deploy/%.in,$(BUILD)/%,$(wildcard deploy/monitoring/*.in))
SERVERS = $(foreach s,lighttpd apache nginx lighttpd-cgi apache-cgi,$(BUILD)/examples/$(s).conf)
COMPLETIONS = $(patsubst deploy/completion/%.in,$(BUILD)/completion/%,$(wildcard deploy/completion/*.in))

.PHONY: docs
docs: $(MANUALS) $(BUILD)/sse-resilience.conf $(SYSTEMD) $(HOSTING) $(COMPLETIONS) $(SERVERS) ## build the manuals, the example configuration, units, completions

$(BUILD)/options: $(BUILD)/deploy/man/options.o $(BUILD)/libcommon.a
	$(call say,LD $@)$(CC) $(SR_LINK) $(LDFLAGS) -o $@ $^ $(SR_LIBS)
$(BUILD)/man/%: deploy/man/%.in deploy/man/fill.awk deploy/man/wrap.awk $(BUILD)/options $(PROGRAMS) $(BUILD)/.dirs
	@mkdir -p $(@D)
	$(call say,MAN $@)LC_ALL=C awk -v build=$(BUILD) -f deploy/man/fill.awk $< >$@.fill && \
	  LC_ALL=C awk -f deploy/man/wrap.awk $@.fill | $(subst_dirs) >$@.tmp && rm $@.fill && mv $@.tmp $@
$(BUILD)/man/%: deploy/man/%
	@mkdir -p $(@D)
	$(call say,MAN $@)cp $< $@
$(BUILD)/sse-resilience.conf: deploy/sse-resilience.conf.head $(BUILD)/options $(BUILD)/.dirs
	$(call say,CONF $@){ $(subst_dirs) $< && $(BUILD)/options conf; } >$@.tmp && mv $@.tmp $@
$(BUILD)/completion/%: deploy/completion/%.in deploy/completion/fill.awk $(BUILD)/options $(PROGRAMS)
	@mkdir -p $(@D)
	$(call say,GEN $@)LC_ALL=C awk -v build=$(BUILD) -f deploy/completion/fill.awk $< >$@.tmp && mv $@.tmp $@

# --- templates: in ssectl, which fills them in -----------------------------------------------------------------------

TEMPLATES = $(wildcard deploy/snippets/*.in deploy/cgi/sse.cgi deploy/systemd/* deploy/init.d/*.in deploy/cron.d/*.in deploy/logrotate.d/*.in)
$(BUILD)/snippets.inc: deploy/snippets/embed.sh $(TEMPLATES) $(BUILD)/.dirs
	$(call say,CONF $@)sh deploy/snippets/embed.sh $(TEMPLATES) >$@.raw && $(subst_dirs) $@.raw >$@.tmp && rm $@.raw && mv $@.tmp $@
$(BUILD)/cli/snippet.o: $(BUILD)/snippets.inc
$(BUILD)/cli/snippet.o: SR_CFLAGS += -DSR_SHARE_DIR='"$(pkgdatadir)"' -DSR_SBIN_DIR='"$(sbindir)"'

# Whoever builds may have a configuration of ours, which must not count.
define snippet
@mkdir -p $(@D)
$(call say,CONF $@)env -i $(BUILD)/ssectl --config=/dev/null snippet $(1) >$@.tmp && mv $@.tmp $@
endef
$(SERVERS): $(BUILD)/examples/%.conf: $(BUILD)/ssectl
	$(call snippet,$*)
$(UNITS): $(BUILD)/systemd/%: $(BUILD)/ssectl
	$(call snippet,$*)
$(BUILD)/systemd/sse-resilience.%: $(BUILD)/ssectl
	$(call snippet,$*)
$(BUILD)/init.d/sse-fcgi: $(BUILD)/ssectl
	$(call snippet,sysv)
$(BUILD)/init.d/sse-guardian: $(BUILD)/ssectl
	$(call snippet,sysv-guardian)
$(BUILD)/cron.d/sse-guardian: $(BUILD)/ssectl
	$(call snippet,cron)
$(BUILD)/logrotate.d/sse-resilience: $(BUILD)/ssectl
	$(call snippet,logrotate)
$(BUILD)/monitoring/%: deploy/monitoring/%.in $(BUILD)/.dirs
	@mkdir -p $(@D)
	$(call say,CONF $@)$(subst_dirs) $< >$@.tmp && mv $@.tmp $@

# --- install -------------------------------------------------------------------------------------------------------

$(BUILD)/sse-resilience.pc: $(BUILD)/.dirs
INSTALLED_LIBRARY = 644:$(BUILD)/libsse-resilience.so.$(VERSION):$(libdir)/libsse-resilience.so.$(VERSION) \
  link:libsse-resilience.so.$(VERSION):$(libdir)/libsse-resilience.so.0 link:libsse-resilience.so.0:$(libdir)/libsse-resilience.so \
  644:$(BUILD)/libsse-resilience.a:$(libdir)/libsse-resilience.a \
  644:$(BUILD)/sse-resilience.pc:$(libdir)/pkgconfig/sse-resilience.pc \
  644:common/lib/sse_resilience.h:$(includedir)/sse_resilience.h

# MODE:FILE:TARGET, one for each file; `link:TEXT:TARGET` is a symbolic link, `conf:FILE:TARGET` is only put where none is.
# install and uninstall both go by this list and no other.
files_to = $(foreach f,$(2),$(1):$(f):$(3)/$(notdir $(f)))
INSTALLED = \
  $(call files_to,755,$(BUILD)/sse-fcgi $(BUILD)/sse-guardian,$(sbindir)) \
  $(call files_to,755,$(BUILD)/ssectl,$(bindir)) \
  $(foreach m,$(MANUALS),$(call files_to,644,$(m),$(mandir)/man$(patsubst .%,%,$(suffix $(m))))) \
  conf:$(BUILD)/sse-resilience.conf:$(sysconfdir)/sse-resilience/sse-resilience.conf \
  $(call files_to,644,$(BUILD)/sse-resilience.conf,$(docdir)/examples) \
  $(call files_to,644,README.md CHANGES.md LICENSE,$(docdir)) \
  $(call files_to,644,$(SERVERS) $(wildcard deploy/README.md),$(docdir)/examples) \
  $(foreach f,$(wildcard deploy/examples/*),$(if $(filter %.md %.example %.php,$(f)),644,755):$(f):$(docdir)/examples/recipes/$(notdir $(f))) \
  $(foreach f,$(filter-out %/sse.cgi,$(wildcard deploy/cgi/*)),$(call files_to,$(if $(filter %.cgi,$(f)),755,644),$(f),$(pkgdatadir))) \
  $(foreach f,$(wildcard deploy/monitoring/*.yml deploy/monitoring/*.json),644:$(f):$(docdir)/examples/$(f:deploy/%=%)) \
  $(foreach f,$(HOSTING),$(if $(findstring /init.d/,$(f)),755,644):$(f):$(docdir)/examples/$(f:$(BUILD)/%=%)) \
  $(call files_to,644,$(UNITS),$(systemdsystemunitdir)) \
  644:$(BUILD)/systemd/sse-resilience.sysusers:$(sysusersdir)/sse-resilience.conf \
  644:$(BUILD)/systemd/sse-resilience.tmpfiles:$(tmpfilesdir)/sse-resilience.conf \
  $(if $(COMPLETIONS),644:$(BUILD)/completion/ssectl.bash:$(bashcompletiondir)/ssectl) \
  $(if $(COMPLETIONS),644:$(BUILD)/completion/ssectl.zsh:$(zshcompletiondir)/_ssectl) \
  $(if $(COMPLETIONS),644:$(BUILD)/completion/ssectl.fish:$(fishcompletiondir)/ssectl.fish) \
  $(INSTALLED_LIBRARY)

# Folders that may be removed when nothing is left in them: ours alone.
OWN_DIRS = $(sysconfdir)/sse-resilience $(docdir) $(pkgdatadir)

.PHONY: install install-strip uninstall
install: all docs ## install everything under DESTDIR and prefix (/usr/local); a configuration that is there stays
	@sh deploy/install.sh install '$(DESTDIR)' $(INSTALLED)
install-strip: ## the same, without symbols
	@$(MAKE) --no-print-directory install INSTALL='$(INSTALL) -s'
uninstall: docs ## remove what install put there; a configuration that was changed stays
	@sh deploy/install.sh uninstall '$(DESTDIR)' $(INSTALLED) -- $(OWN_DIRS)

# --- Debian packages -----------------------------------------------------------------------------------------------

.PHONY: deb check-deb
deb: ## build the Debian packages into build/deb (needs debhelper)
	@sh deploy/install-deps.sh build deb
	@sh deploy/deb.sh build/deb
check-deb: deb ## install, use, remove and purge them in a Debian 12 of its own; needs root and the Debian mirror
	sh tests/deb.sh build/deb
