# demo.mk: a whole fine-tuning experiment as a Makefile. Copy it and lora.mk beside it, put your own
# data and model in the first lines, and `make -f demo.mk` does what is not done yet and nothing else.
#
#   raw.jsonl -> import | dedup -> split -> tokenize | pack -> train -> eval, merge, quant -> table
#
# The task: write the one-line summary of a Debian package from its long description.

MODEL  ?= build/data/SmolLM2-135M-Instruct.Q4_1.gguf
W      ?= build/demo
TRAIN_OPTIONS ?= --lora-rank 16 --lr 2e-4 --batch 16 --epochs 1 --seed 1

.PHONY: demo table verdict samples
demo: table verdict samples

# The data, its parts, and rows to train on.
include $(dir $(lastword $(MAKEFILE_LIST)))lora.mk

$(W)/adapter.ft: $(W)/train.packed $(W)/val.packed
	ft-train -i $< -m $(MODEL) --val $(W)/val.packed --val-every 16 --log $(W)/train.log \
	    $(TRAIN_OPTIONS) -o $@

$(W)/merged.gguf: $(W)/adapter.ft
	ft-merge -m $(MODEL) -a $< --type f16 --verify -o $@

$(W)/q8_0.gguf $(W)/q4_0.gguf: $(W)/%.gguf: $(W)/merged.gguf
	ft-quant -m $< -t $* -o $@

$(W)/base.json: $(W)/test.packed
	ft-eval -i $< -m $(MODEL) --json > $@
$(W)/adapter.json: $(W)/test.packed $(W)/adapter.ft
	ft-eval -i $< -m $(MODEL) -a $(W)/adapter.ft --json > $@
$(W)/merged.json $(W)/q8_0.json $(W)/q4_0.json: $(W)/%.json: $(W)/test.packed $(W)/%.gguf
	ft-eval -i $< -m $(W)/$*.gguf --json > $@

RESULTS := base adapter merged q8_0 q4_0
table: $(RESULTS:%=$(W)/%.json)
	@echo
	@echo "Loss on the test split ($$(jq -r .examples $(W)/base.json) packages that training never saw):"
	@echo
	@printf '  %-10s %8s %12s %14s %10s\n' model loss perplexity bits/byte MB
	@for r in $(RESULTS); do \
	    case $$r in base|adapter) f=$(MODEL);; *) f=$(W)/$$r.gguf;; esac; \
	    jq -r '[.loss, .perplexity, .bits_per_byte] | @tsv' $(W)/$$r.json | \
	    awk -v name=$$r -v mb=$$(( $$(wc -c < $$f) / 1000000 )) \
	        '{ printf "  %-10s %8.4f %12.2f %14.4f %10d\n", name, $$1, $$2, $$3, mb }'; \
	done

# What both models write for the test split, its scores against the real summaries, and whether the
# difference is more than chance.
$(W)/answers-base.ft: $(W)/test.ft
	ft-generate -i $< -m $(MODEL) --max-tokens 40 -o $@
$(W)/answers-tuned.ft: $(W)/test.ft $(W)/adapter.ft
	ft-generate -i $< -m $(MODEL) -a $(W)/adapter.ft --max-tokens 40 -o $@
$(W)/scores-%.jsonl: $(W)/answers-%.ft
	ft-eval -i $< --metrics rougeL,chrf --scores $@ --json > $(W)/scores-$*.json

verdict: $(W)/scores-base.jsonl $(W)/scores-tuned.jsonl
	@echo
	@echo "Their answers against the real summaries:"
	@echo
	@ft-compare --metrics rougeL,chrf --names base,tuned --seed 1 $^

# The first five packages of the test split.
$(W)/five-%.jsonl: $(W)/answers-%.ft
	ft-export -i $< -o $(W)/answers-$*.jsonl
	head -n 5 $(W)/answers-$*.jsonl > $@

define SAMPLES
(length / 2) as $$n | range($$n) as $$i | .[$$i] as $$base | .[$$i + $$n] as $$tuned |
def line: gsub("\\s+"; " ") | if length > 90 then .[0:90] + "..." else . end;
"\n  \($$base.id)",
"    real   \($$base.reference | line)",
"    base   \($$base.prediction | line)",
"    tuned  \($$tuned.prediction | line)"
endef
export SAMPLES

samples: $(W)/five-base.jsonl $(W)/five-tuned.jsonl
	@echo
	@echo "Five summaries: the real one, the base model's, the tuned model's"
	@jq -rs "$$SAMPLES" $^
	@echo
