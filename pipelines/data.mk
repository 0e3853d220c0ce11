# data.mk: what the training recipes have in common: from examples to rows to train on. Included.
#
#   RAW -> import | dedup -> split by groups -> train, val, test -> tokenize | pack
#
# RAW may be anything that ft-import reads. Without it the data are package descriptions of this
# machine's Debian, and the task is to write the one-line summary of a package.

MODEL  ?= build/data/SmolLM2-135M-Instruct.Q4_1.gguf
APT    ?= build/data/apt.jsonl
RAW    ?= $(W)/raw.jsonl
# Examples with the same `group` stay on one side; those without are groups of their own.
SPLIT  ?= --group group --ratio 78,6,16
LENGTH ?= 512
# One description in so many, none over 1200 characters: some 650 examples from all of Debian.
EVERY  ?= 90
FT     ?= build/bin
export PATH := $(abspath $(FT)):$(PATH)
HERE   := $(dir $(lastword $(MAKEFILE_LIST)))

.DELETE_ON_ERROR:
# One after the other: each program uses all processors by itself.
.NOTPARALLEL:
.SECONDARY:

# What a program says with --json goes into a file, and is shown when the program fails.
said = 2> $(1) || { cat $(1) >&2; exit 1; }

build/data/apt.jsonl:
	@mkdir -p $(@D)
	sh $(HERE)apt-data.sh $(@D)/apt-lists >$@

$(W)/raw.jsonl: $(APT)
	@mkdir -p $(@D)
	awk 'length($$0) < 1600 && ++n % $(EVERY) == 1' $(APT) > $@

$(W)/clean.ft: $(RAW)
	@mkdir -p $(@D)
	ft-import $(IMPORT) -i $< | ft-dedup -o $@

$(W)/train.ft $(W)/val.ft $(W)/test.ft &: $(W)/clean.ft
	ft-split -i $< $(SPLIT) --to $(W)/train.ft,$(W)/val.ft,$(W)/test.ft

$(W)/%.packed: $(W)/%.ft
	ft-tokenize -i $< -m $(MODEL) | ft-pack -l $(LENGTH) --long drop -o $@
