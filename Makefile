# ft: one make, no recursion. `make help` lists what a user types.
VERSION := 0.1.0
CC      ?= gcc
PREFIX  ?= /usr/local
B       := build

SAN     :=
HARDEN  := -fstack-protector-strong -D_FORTIFY_SOURCE=3 -fPIE -fcf-protection=full \
           -ftrivial-auto-var-init=zero -fno-plt
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wvla -Werror=implicit
ALL_C   := -std=c11 $(CFLAGS) $(WARN) $(HARDEN) $(SAN) -ffp-contract=off -Ilib -I. \
           -DFT_VERSION='"$(VERSION)"'
LDFLAGS += -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SAN)
LDLIBS  := -lopenblas -lzstd -lxxhash -ljansson -lutf8proc -lm -lpthread

LIB_C   := $(wildcard lib/*/*.c) $(wildcard kernels/*.c)
CLI_C   := $(wildcard tools/cli/*.c)
TOOL_C  := $(wildcard tools/ft*.c)
TOOLS   := $(TOOL_C:tools/%.c=$(B)/bin/%)
UNIT_C  := $(wildcard tests/unit/*.c tests/kernels/*.c)
UNITS   := $(UNIT_C:tests/%.c=$(B)/tests/%)
obj      = $(patsubst %.c,$(B)/obj/%.o,$(1))

.PHONY: all help deps demo check bench soak lint asan install clean
.SECONDARY:
all: $(TOOLS)

$(B)/obj/%.o: %.c | $(B)/stamp-deps
	@mkdir -p $(@D)
	$(CC) $(ALL_C) $(ISA) -MMD -MP -c $< -o $@

# Only these files may use wider registers; dispatch.c decides at run time who calls them.
$(B)/obj/kernels/%_avx2.o: ISA := -mavx2 -mfma -mf16c
$(B)/obj/kernels/%_avx512.o: ISA := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx512bf16 -mfma -mf16c

$(B)/libft.a: $(call obj,$(LIB_C))
	@rm -f $@
	ar rcs $@ $^

$(B)/bin/%: $(B)/obj/tools/%.o $(call obj,$(CLI_C)) $(B)/libft.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(B)/tests/%: $(B)/obj/tests/%.o $(call obj,$(CLI_C)) $(B)/libft.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $^ -lcmocka $(LDLIBS) -o $@

-include $(patsubst %.o,%.d,$(call obj,$(LIB_C) $(CLI_C) $(TOOL_C) $(UNIT_C)))

# Packages are installed by pipelines/deps.sh when they are missing; a machine that has them
# needs no root and no network.
$(B)/stamp-deps: pipelines/deps.sh
	@mkdir -p $(@D)
	sh pipelines/deps.sh
	@touch $@
deps:
	sh pipelines/deps.sh
