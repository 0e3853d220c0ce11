# ft: one make, no recursion. `make help` lists what a user types.
VERSION := 0.1.0
CC      ?= gcc
PREFIX  ?= /usr/local
B       := build
DATA    := build/data
MODEL   := $(DATA)/SmolLM2-135M-Instruct.Q4_1.gguf

SAN     :=
HARDEN  := -fstack-protector-strong -D_FORTIFY_SOURCE=3 -fPIE -fcf-protection=full \
           -ftrivial-auto-var-init=zero -fno-plt
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wvla -Werror=implicit
ALL_C   := -std=c11 $(CFLAGS) $(WARN) $(HARDEN) $(SAN) -ffp-contract=off -Ilib -I. \
           -DFT_VERSION='"$(VERSION)"'
# Debian's start-up objects carry no CET marks: the shadow stack is safe to claim for them, indirect
# branch tracking (which all of our code is compiled for) is not.
LDFLAGS += -pie -Wl,-z,relro,-z,now,-z,shstk -Wl,--as-needed $(SAN)
LDLIBS  := -lzstd -lxxhash -lutf8proc -lpcre2-8 -lz -ldivsufsort -ldivsufsort64 -lm -lpthread

LIB_C   := $(wildcard lib/*/*.c) $(wildcard kernels/*.c)
CLI_C   := $(wildcard tools/cli/*.c)
TOOL_C  := $(wildcard tools/ft*.c)
TOOLS   := $(TOOL_C:tools/%.c=$(B)/bin/%)
UNIT_C  := $(wildcard tests/unit/*.c tests/kernels/*.c)
UNITS   := $(UNIT_C:tests/%.c=$(B)/tests/%)
CANARY_C := $(wildcard tests/canary/*.c)
SHIMS   := $(patsubst tests/%.c,$(B)/tests/%.so,$(wildcard tests/fault/*.c))
TESTS   := $(UNITS) $(SHIMS) $(CANARY_C:tests/%.c=$(B)/tests/%)

# V=1 shows the commands.
Q       := $(if $(V),,@)
SAY     := @$(if $(V),:,echo ' ')

# As many jobs as processors, unless the command line says otherwise.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif

obj      = $(patsubst %.c,$(B)/obj/%.o,$(1))

.PHONY: all tests help deps demo methods check bench soak lint asan install clean
.DELETE_ON_ERROR:
.SECONDARY:
all: $(TOOLS)

$(B)/obj/%.o: %.c | $(B)/stamp-deps
	@mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(CC) $(ALL_C) $(ISA) -MMD -MP -c $< -o $@

# Only these files may use wider registers; dispatch.c decides at run time who calls them. Their
# arrays of sums are registers in the end, but would be cleared in memory first.
PLAIN := $(if $(HARDEN),-ftrivial-auto-var-init=uninitialized)
$(B)/obj/kernels/%_avx2.o: ISA := -mavx2 -mfma -mf16c $(PLAIN)
$(B)/obj/kernels/%_avx512.o: ISA := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni \
    -mavx512bf16 -mfma -mf16c $(PLAIN)

# Archives, so that a filter takes in (and loads BLAS for) only what it calls.
$(B)/libcli.a: $(call obj,$(CLI_C))
$(B)/libft.a: $(call obj,$(LIB_C))
$(B)/libft.a $(B)/libcli.a:
	@rm -f $@
	$(Q)ar rcs $@ $^

$(B)/bin/%: $(B)/obj/tools/%.o $(B)/libcli.a $(B)/libft.a
	@mkdir -p $(@D)
	$(SAY) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(B)/tests/%: $(B)/obj/tests/%.o $(B)/libcli.a $(B)/libft.a
	@mkdir -p $(@D)
	$(SAY) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -lcmocka $(LDLIBS) -o $@

# LD_PRELOAD libraries that make system calls and allocations fail.
$(B)/tests/%.so: tests/%.c | $(B)/stamp-deps
	@mkdir -p $(@D)
	$(SAY) LD $@
	$(Q)$(CC) -std=c11 -O1 -g $(WARN) -shared -fPIC $< -o $@ -ldl

-include $(patsubst %.o,%.d,$(call obj,$(LIB_C) $(CLI_C) $(TOOL_C) $(UNIT_C) $(CANARY_C)))

# Packages are installed by pipelines/deps.sh when they are missing; a machine that has them
# needs no root and no network.
$(B)/stamp-deps: pipelines/deps.sh
	@mkdir -p $(@D)
	sh pipelines/deps.sh
	@touch $@

$(MODEL): | $(B)/stamp-deps
	sh pipelines/model.sh $(@D)

deps:
	sh pipelines/deps.sh

tests: all $(TESTS)

check: tests $(MODEL)
	@FT_MODEL=$(MODEL) sh tests/run.sh $(B)

soak: tests $(MODEL)
	@FT_MODEL=$(MODEL) FT_SOAK=1 sh tests/run.sh $(B)

# The same suite with the sanitizers, in a folder of its own. The fault sweeps stay out: they
# preload and trace, which the sanitizers' run time does not bear.
asan:
	$(MAKE) B=build/asan HARDEN= CFLAGS='-O1 -g -fno-omit-frame-pointer' \
	    SAN='-fsanitize=address,undefined -fno-sanitize-recover=undefined' tests $(MODEL)
	@FT_MODEL=$(MODEL) FT_ASAN=1 sh tests/run.sh build/asan

bench: all $(patsubst %,$(B)/tests/bench/%,ft_logits ft_embeds generate_rate limit) $(MODEL)
	sh pipelines/deps.sh bench
	@FT_MODEL=$(MODEL) sh tests/bench/run_bench.sh $(B)

lint:
	sh pipelines/deps.sh lint
	@sh tests/lint/run_lint.sh "$(filter-out $(SAN),$(ALL_C))"

demo: all $(MODEL)
	@$(MAKE) -f pipelines/demo.mk FT=$(B)/bin MODEL=$(MODEL)

methods: all $(MODEL)
	@$(MAKE) -f pipelines/methods.mk FT=$(B)/bin MODEL=$(MODEL)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(TOOLS) $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(wildcard doc/man/*.1) $(DESTDIR)$(PREFIX)/share/man/man1

# Downloads (the model, the data) stay; rm -r build removes them too.
clean:
	rm -rf $(filter-out $(DATA),$(wildcard $(B)/*))

help:
	@echo 'make            the programs, in build/bin'
	@echo 'make demo       fetch a model and data, fine-tune, show what it learned (3 to 10 minutes)'
	@echo 'make methods    every method of fine-tuning on the same data, as a table (20 minutes)'
	@echo 'make check      all tests (under 10 minutes)'
	@echo 'make install    PREFIX=/usr/local, DESTDIR='
	@echo 'make deps       install the Debian packages that are missing'
	@echo 'make lint       layers, clang-tidy, cppcheck, shellcheck'
	@echo 'make asan       the tests under the address and undefined-behaviour sanitizers'
	@echo 'make bench      speed, beside other programs where they are installed'
	@echo 'make soak       the fault tests at full count (hours)'
	@echo 'make clean      remove what was built; downloads stay'
