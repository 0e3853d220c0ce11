# demo.mk: a whole fine-tuning experiment: the training recipe (sft.mk) on package descriptions of
# Debian, then the tuned model merged, quantised and measured, and five of its answers.
#
#   raw.jsonl -> import | dedup -> split -> tokenize | pack -> train -> eval, merge, quant -> table

W ?= build/demo

.PHONY: demo samples
demo: table verdict samples

include $(dir $(lastword $(MAKEFILE_LIST)))sft.mk

$(W)/q8_0.gguf $(W)/q4_0.gguf: $(W)/%.gguf: $(W)/merged.gguf
	ft-quant -m $< -t $* -o $@

QUANTISED := merged q8_0 q4_0
$(QUANTISED:%=$(W)/%.json): $(W)/%.json: $(W)/test.packed $(W)/%.gguf
	ft-eval -i $< -m $(W)/$*.gguf --json > $@

RESULTS += $(foreach q,$(QUANTISED),$(q):$(W)/$(q).gguf)
table: $(QUANTISED:%=$(W)/%.json)

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
