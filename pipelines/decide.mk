# decide.mk: should I fine-tune at all? The model as it is, the model with examples before each
# question, and the model with an adapter answer the same test questions; what they are worth,
# what they cost, and what follows from it is printed and kept in $(W)/decide.txt and decide.tsv:
#
#   make -f pipelines/decide.mk RAW=mine.jsonl MODEL=model.gguf METRICS=em,f1 ANSWERS=100000
#
#   zero    the question alone                     fixed   the same SHOTS examples before each
#   near    the SHOTS nearest training examples    lora    the question alone, to the adapter
#
# METRICS are names of ft-eval that score single examples and of which more is better; the first
# one decides. ANSWERS is how many answers will be wanted in all: so many pay for the training.
# Without RAW the data are those of the demo. Make does what is not done yet and nothing else.

MODEL   ?= build/data/SmolLM2-135M-Instruct.Q4_1.gguf
W       ?= build/decide
METRICS ?= rougeL,chrf
ANSWERS ?= 10000
SHOTS   ?= 3
# How the nearest are found: bm25, or embedding for the model's own view of a question.
NEAR    ?= bm25
# Answers have at most so many tokens; a bound that cuts good answers is unfair to nobody but us.
TOKENS  ?= 40
GENERATE_OPTIONS ?= --compute auto
TRAIN_OPTIONS    ?= --lora-rank 16 --lr 2e-4 --batch 16 --epochs 1 --seed 1
# Questions that are asked one at a time, to see how long one has to wait.
ALONE   ?= 6

.PHONY: decide
decide: $(W)/decide.txt
	@cat $<

include $(dir $(lastword $(MAKEFILE_LIST)))data.mk

WAYS := zero fixed near lora
comma := ,
first := $(firstword $(subst $(comma), ,$(METRICS)))

# ---- the questions ----

asked = $(W)/$(if $(filter zero lora,$(1)),test,questions-$(1)).ft

$(W)/questions-fixed.ft: $(W)/test.ft $(W)/train.ft
	ft-shots --from $(W)/train.ft --by fixed -k $(SHOTS) --seed 1 -i $< -o $@
$(W)/questions-near.ft $(W)/shots-near.json &: $(W)/test.ft $(W)/train.ft
	ft-shots --from $(W)/train.ft --by $(NEAR) -k $(SHOTS) --json \
	    $(if $(filter embedding,$(NEAR)),-m $(MODEL)) -i $< -o $(W)/questions-near.ft \
	    $(call said,$(W)/shots-near.json)

# ---- the training ----

$(W)/plan.json: $(W)/train.packed
	ft-train --plan --json -i $< -m $(MODEL) $(TRAIN_OPTIONS) > $@
$(W)/adapter.ft $(W)/train.json &: $(W)/train.packed $(W)/val.packed
	ft-train -i $< -m $(MODEL) --val $(W)/val.packed --log $(W)/train.log $(TRAIN_OPTIONS) --json \
	    -o $(W)/adapter.ft $(call said,$(W)/train.json)

# ---- the answers, and what they are worth ----

# generate-WAY.json: tokens and seconds of all questions together. alone-WAY.json: of the first ones,
# one after the other, as somebody who waits for an answer meets it.
define answers
$(W)/answers-$(1).ft $(W)/generate-$(1).json &: $(call asked,$(1)) $(if $(filter lora,$(1)),$(W)/adapter.ft)
	ft-generate -i $$< -m $(MODEL) $(if $(filter lora,$(1)),-a $(W)/adapter.ft) \
	    --max-tokens $(TOKENS) $(GENERATE_OPTIONS) --json -o $(W)/answers-$(1).ft \
	    $$(call said,$(W)/generate-$(1).json)
$(W)/alone-$(1).json: $(call asked,$(1)) $(if $(filter lora,$(1)),$(W)/adapter.ft)
	ft-cat -q --head $(ALONE) -i $$< | ft-import -q | ft-generate -m $(MODEL) \
	    $(if $(filter lora,$(1)),-a $(W)/adapter.ft) --max-tokens $(TOKENS) \
	    $(GENERATE_OPTIONS) --batch 1 --no-share --json -o /dev/null $$(call said,$$@)
endef
$(foreach way,$(WAYS),$(eval $(call answers,$(way))))

$(W)/scores-%.jsonl $(W)/quality-%.json &: $(W)/answers-%.ft
	ft-eval -i $< --metrics $(METRICS) --scores $(W)/scores-$*.jsonl --json > $(W)/quality-$*.json

# Every two of them on the same questions: each compared with all that stand behind it.
$(W)/compare-zero.json: $(WAYS:%=$(W)/scores-%.jsonl)
	ft-compare --metrics $(METRICS) --seed 1 --json --html $(W)/compare.html \
	    --names zero,fixed,near,lora $^ > $@
$(W)/compare-fixed.json: $(W)/scores-fixed.jsonl $(W)/scores-near.jsonl $(W)/scores-lora.jsonl
	ft-compare --metrics $(first) --seed 1 --json --names fixed,near,lora $^ > $@
$(W)/compare-near.json: $(W)/scores-near.jsonl $(W)/scores-lora.jsonl
	ft-compare --metrics $(first) --seed 1 --json --names near,lora $^ > $@

FOUND := $(W)/plan.json $(W)/train.json $(W)/shots-near.json \
    $(foreach way,$(WAYS),$(patsubst %,$(W)/%-$(way).json,quality generate alone)) \
    $(foreach way,zero fixed near,$(W)/compare-$(way).json)

$(W)/decide.txt $(W)/decide.tsv &: $(FOUND)
	sh pipelines/decide.sh $(W) $(METRICS) $(SHOTS) $(ANSWERS) > $(W)/decide.txt
