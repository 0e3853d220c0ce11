# lora.mk: what recipes have in common: from JSON lines to parts of them and rows to train on. It is
# included, not run, by a Makefile that names MODEL and W, the folder that everything goes to:
#
#   raw.jsonl -> import | dedup -> split -> tokenize | pack
#
# RAW is the data; unless it is named, some of the package descriptions of this machine's Debian,
# of which the one-line summary is to be written from the long description.

APT    ?= build/data/apt.jsonl
RAW    ?= $(W)/raw.jsonl
# A source package is a group: its binary packages describe themselves in the same words.
SPLIT  ?= --group group --ratio 78,6,16
LENGTH ?= 512
FT     ?= build/bin
export PATH := $(abspath $(FT)):$(PATH)

.DELETE_ON_ERROR:
# One after the other: each program uses all processors by itself.
.NOTPARALLEL:

# What a program says with --json goes into a file, and is shown when the program fails.
said = 2> $(1) || { cat $(1) >&2; exit 1; }

# The descriptions of all packages of this machine's Debian, some 60,000.
$(APT):
	@mkdir -p $(@D)
	sh pipelines/apt-data.sh $(@D)/apt-lists >$@

# One description in ninety, none over 1200 characters: some 650 examples from all of Debian.
$(W)/raw.jsonl: $(APT)
	@mkdir -p $(W)
	awk 'length($$0) < 1600 && ++n % 90 == 1' $(APT) > $@

$(W)/clean.ft: $(RAW)
	@mkdir -p $(W)
	ft-import -i $< | ft-dedup -o $@

$(W)/train.ft $(W)/val.ft $(W)/test.ft &: $(W)/clean.ft
	ft-split -i $< $(SPLIT) --to $(W)/train.ft,$(W)/val.ft,$(W)/test.ft

$(W)/%.packed: $(W)/%.ft
	ft-tokenize -i $< -m $(MODEL) | ft-pack -l $(LENGTH) --long drop -o $@
