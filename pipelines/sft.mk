# sft.mk: supervised fine-tuning with LoRA, from examples to a merged model and a verdict:
#
#   make -f pipelines/sft.mk RAW=mine.jsonl W=out
#
# Each step leaves its result in $(W); make does what is not done yet and nothing else, so an
# interrupted run goes on where it was, training too (from its last checkpoint). TRAIN_OPTIONS are
# ft-train's; METRICS are what ft-eval scores the answers by. data.mk says what else can be set.

W       ?= build/sft
METRICS ?= rougeL,chrf
TOKENS  ?= 40
TRAIN_OPTIONS ?= --lora-rank 16 --lr 2e-4 --batch 16 --epochs 1 --seed 1

.PHONY: sft table verdict
sft: table verdict $(W)/merged.gguf

include $(dir $(lastword $(MAKEFILE_LIST)))data.mk

$(W)/adapter.ft: $(W)/train.packed $(W)/val.packed
	ft-train -i $< -m $(MODEL) --val $(W)/val.packed --val-every 16 --log $(W)/train.log \
	    --checkpoint $(W)/checkpoint --resume $(TRAIN_OPTIONS) -o $@
	@rm -rf $(W)/checkpoint

$(W)/merged.gguf: $(W)/adapter.ft
	ft-merge -m $(MODEL) -a $< --type f16 --verify -o $@

$(W)/base.json: $(W)/test.packed
	ft-eval -i $< -m $(MODEL) --json > $@
$(W)/adapter.json: $(W)/test.packed $(W)/adapter.ft
	ft-eval -i $< -m $(MODEL) -a $(W)/adapter.ft --json > $@

# Rows of the table: a result and the file that it is of.
RESULTS := base:$(MODEL) adapter:$(MODEL)
table: $(W)/base.json $(W)/adapter.json
	@echo
	@echo "Loss on the test split ($$(jq -r .examples $(W)/base.json) examples that training never saw):"
	@echo
	@printf '  %-10s %8s %12s %14s %10s\n' model loss perplexity bits/byte MB
	@for r in $(RESULTS); do \
	    jq -r '[.loss, .perplexity, .bits_per_byte] | @tsv' $(W)/$${r%%:*}.json | \
	    awk -v name=$${r%%:*} -v mb=$$(( $$(wc -c < $${r#*:}) / 1000000 )) \
	        '{ printf "  %-10s %8.4f %12.2f %14.4f %10d\n", name, $$1, $$2, $$3, mb }'; \
	done

# What both models write for the test split, its scores against the real answers, and whether the
# difference is more than chance.
$(W)/answers-base.ft: $(W)/test.ft
	ft-generate -i $< -m $(MODEL) --max-tokens $(TOKENS) -o $@
$(W)/answers-tuned.ft: $(W)/test.ft $(W)/adapter.ft
	ft-generate -i $< -m $(MODEL) -a $(W)/adapter.ft --max-tokens $(TOKENS) -o $@
$(W)/scores-%.jsonl: $(W)/answers-%.ft
	ft-eval -i $< --metrics $(METRICS) --scores $@ --json > $(W)/scores-$*.json

verdict: $(W)/scores-base.jsonl $(W)/scores-tuned.jsonl
	@echo
	@echo "Their answers against the real ones:"
	@echo
	@ft-compare --metrics $(METRICS) --names base,tuned --seed 1 $^
