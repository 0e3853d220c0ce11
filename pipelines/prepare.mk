# prepare.mk: raw JSON lines to certified training, validation and test parts, with a report. Copy
# it, or name your data and fields:
#
#   make -f pipelines/prepare.mk RAW=mine.jsonl W=out SPLIT='--ratio 80,10,10'
#
#   import -> dedup -> dedup --near -> filter -> label -> split -> dedup --against -> stats
#
# Each step leaves its stream and what it found in $(W); make does what is not done yet and nothing
# else. MODEL=model.gguf adds lengths in tokens and the model's own embeddings to the report, and
# `make ... packed MODEL=...` makes rows to train on. Without RAW the data are the package
# descriptions of this machine's Debian.

RAW     ?= build/data/apt.jsonl
W       ?= build/prepare
MODEL   ?=
IMPORT  ?=
NEAR    ?=
FILTER  ?=
# The fields `group` and `label` of the package descriptions: source package and section.
SPLIT   ?= --group group --stratify label --ratio 80,10,10
LENGTH  ?= 512
FT      ?= build/bin
export PATH := $(abspath $(FT)):$(PATH)

.PHONY: prepare packed
.DELETE_ON_ERROR:
# One after the other: each program uses all processors by itself.
.NOTPARALLEL:
prepare: $(W)/report.txt

build/data/apt.jsonl:
	@mkdir -p $(@D)
	sh pipelines/apt-data.sh $(@D)/apt-lists >$@

# Whatever ft-import knows: JSON lines or lists, CSV, text, gzip, zstd. IMPORT='-f csv -c prompt=…'
$(W)/imported.ft: $(RAW)
	@mkdir -p $(W)
	ft-import $(IMPORT) -i $< -o $@

$(W)/exact.ft: $(W)/imported.ft
	ft-dedup -i $< -o $@

# near.jsonl: which example went, for which that stays, and how alike they are.
$(W)/near.ft: $(W)/exact.ft
	ft-dedup --near $(NEAR) --pairs $(W)/near.jsonl -i $< -o $@

# filter.txt: every rule, how often it spoke, and examples of it.
$(W)/filtered.ft: $(W)/near.ft
	ft-filter $(FILTER) --explain $(W)/filter.txt -i $< -o $@

# Suggestions for a human; nothing is changed. Look through it, add "accept": true to the lines you
# agree with, and `ft-label --apply` corrects these and nothing else.
$(W)/suggestions.jsonl: $(W)/filtered.ft
	ft-label --conflicts --suggest $@ -i $< -o /dev/null

$(W)/all.ft $(W)/val.ft $(W)/test.ft &: $(W)/filtered.ft
	ft-split $(SPLIT) --to $(W)/all.ft,$(W)/val.ft,$(W)/test.ft -i $<

# The split keeps apart what is alike as a whole; this finds evaluation items inside longer texts.
$(W)/train.ft: $(W)/all.ft $(W)/val.ft $(W)/test.ft
	ft-dedup --against $(W)/val.ft,$(W)/test.ft --report $(W)/leaks.jsonl -i $< -o $@

$(W)/report.html: $(W)/train.ft $(W)/test.ft
	ft-stats $(if $(MODEL),-m $(MODEL)) --against $(W)/test.ft --html $@ -i $< > $(W)/stats.txt

STEPS := imported exact near filtered all train val test

# From the trailer of each step's stream: what its tool read, wrote and dropped, by reason.
define COUNTS
"\(input_filename | sub(".*/"; "") | sub("[.]json$$"; ""))\t\(.counts.read)\t\(.counts.written)\t" +
([.counts.dropped | to_entries[] | "\(.value) \(.key)"] | join(", "))
endef
export COUNTS

$(W)/counts/%.json: $(W)/%.ft
	@mkdir -p $(@D)
	@ft-check --json $< > $@

$(W)/report.txt: $(STEPS:%=$(W)/counts/%.json) $(W)/suggestions.jsonl $(W)/report.html
	@{ echo "step             read    written  dropped"; \
	jq -r "$$COUNTS" $(STEPS:%=$(W)/counts/%.json) | \
	    awk -F '\t' '{ printf "%-10s %10d %10d  %s\n", $$1, $$2, $$3, $$4 }'; \
	echo; ft-check $(W)/train.ft $(W)/val.ft $(W)/test.ft; \
	echo; cat $(W)/stats.txt; } > $@
	@cat $@
	@echo
	@echo "Parts: $(W)/train.ft val.ft test.ft. What went and why: near.jsonl, filter.txt,"
	@echo "leaks.jsonl; to look through: suggestions.jsonl. Pictures: $(W)/report.html"

packed: $(W)/train.packed $(W)/val.packed $(W)/test.packed
$(W)/%.packed: $(W)/%.ft
	@test -n "$(MODEL)" || { echo "name the model: MODEL=model.gguf" >&2; exit 64; }
	ft-tokenize -i $< -m $(MODEL) | ft-pack -l $(LENGTH) --long drop -o $@
