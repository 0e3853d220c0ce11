# forgetting-report.mk: what an adapter has cost the model: how well both predict general text, and
# how well both do tasks that training was not about, before and after, with a verdict:
#
#   make -f pipelines/forgetting-report.mk MODEL=model.gguf ADAPTER=adapter.ft GENERAL=wiki.jsonl \
#       TASKS='trivia.jsonl code.jsonl' CHOICES='quiz.jsonl'
#
# GENERAL, TASKS and CHOICES are streams (.ft) or whatever ft-import knows. GENERAL is text, whose
# loss, perplexity and bits a byte are taken. TASKS are questions with answers: both models answer,
# METRICS (names of ft-eval that score single examples) judge. CHOICES are questions with a list of
# answers in FIELD, of which the model is asked for the likeliest. The report goes to
# $(W)/report.txt and report.tsv; make does what is not done yet and nothing else.

MODEL   ?= build/data/SmolLM2-135M-Instruct.Q4_1.gguf
ADAPTER ?=
GENERAL ?=
# How GENERAL is read, such as --shape plain for plain text.
IMPORT  ?=
TASKS   ?=
CHOICES ?=
FIELD   ?= choices
METRICS ?= f1
W       ?= build/forgetting-report
# Long texts are read in windows of so many tokens.
LENGTH  ?= 512
TOKENS  ?= 64
GENERATE_OPTIONS ?= --compute auto
# What a loss must at least be to be called forgetting, as a share of what there was; of the
# perplexity for general text.
SHARE   ?= 0.02
FT      ?= build/bin
export PATH := $(abspath $(FT)):$(PATH)

.PHONY: report
.DELETE_ON_ERROR:
# One after the other: each program uses all processors by itself.
.NOTPARALLEL:
report: $(W)/report.txt
	@cat $<

ifeq ($(and $(ADAPTER),$(GENERAL)),)
$(W)/report.txt:
	@echo "name the adapter and general text: ADAPTER=adapter.ft GENERAL=text.jsonl" >&2; exit 64
else

name = $(basename $(notdir $(1)))
with = $(if $(filter tuned,$(1)),-a $(ADAPTER))
import = $(if $(filter %.ft,$(1)),ft-cat -q -i $(1) | ft-import -q,ft-import $(2) -i $(1))

# ---- general text ----

$(W)/general.packed: $(GENERAL) $(MODEL)
	@mkdir -p $(W)
	$(call import,$<,$(IMPORT)) | ft-tokenize -m $(MODEL) | ft-pack -l $(LENGTH) --long split -o $@

# A window is no independent example: those of one text belong together, unless there are only a
# few texts, whose windows then have to do.
define WINDOWS
(map(.id) | unique | length) as $$texts | to_entries[] | .key as $$n | .value |
if $$texts < 10 then . else .group = .id end | .id = $$n
endef
export WINDOWS

define loss_rules
$(W)/general-$(1).json $(W)/general-$(1).jsonl &: $(W)/general.packed $(if $(filter tuned,$(1)),$(ADAPTER))
	ft-eval -i $$< -m $(MODEL) $(call with,$(1)) --json --scores $(W)/windows-$(1).jsonl \
	    > $(W)/general-$(1).json
	jq -sc "$$$$WINDOWS" $(W)/windows-$(1).jsonl > $(W)/general-$(1).jsonl
endef
$(foreach way,base tuned,$(eval $(call loss_rules,$(way))))

$(W)/compare-general.json: $(W)/general-base.jsonl $(W)/general-tuned.jsonl
	ft-compare --metrics loss --seed 1 --json --names base,tuned $^ > $@

# ---- tasks ----

define task_rules
$(W)/task-$(2)-$(3).jsonl: $(1) $(if $(filter tuned,$(3)),$(ADAPTER))
	@mkdir -p $(W)
	$(call import,$(1)) | ft-generate -m $(MODEL) $(call with,$(3)) --max-tokens $(TOKENS) \
	    $(GENERATE_OPTIONS) -o $(W)/answers-$(2)-$(3).ft
	ft-eval -i $(W)/answers-$(2)-$(3).ft --metrics $(METRICS) --json --scores $$@ \
	    > $(W)/quality-$(2)-$(3).json
endef
$(foreach task,$(TASKS),$(foreach way,base tuned,$(eval \
    $(call task_rules,$(task),$(call name,$(task)),$(way)))))

define choice_rules
$(W)/choice-$(2)-$(3).jsonl: $(1) $(if $(filter tuned,$(3)),$(ADAPTER))
	@mkdir -p $(W)
	$(call import,$(1)) | ft-eval -m $(MODEL) $(call with,$(3)) --choices $(FIELD) \
	    --json --scores $(W)/choices-$(2)-$(3).jsonl > $(W)/quality-$(2)-$(3).json
	jq -c '{id, accuracy: (if .choice == .answer then 1 else 0 end)}' \
	    $(W)/choices-$(2)-$(3).jsonl > $$@
endef
$(foreach task,$(CHOICES),$(foreach way,base tuned,$(eval \
    $(call choice_rules,$(task),$(call name,$(task)),$(way)))))

$(W)/compare-task-%.json: $(W)/task-%-base.jsonl $(W)/task-%-tuned.jsonl
	ft-compare --metrics $(METRICS) --seed 1 --json --names base,tuned $^ > $@
$(W)/compare-choice-%.json: $(W)/choice-%-base.jsonl $(W)/choice-%-tuned.jsonl
	ft-compare --metrics accuracy --seed 1 --json --names base,tuned $^ > $@

COMPARED := $(W)/compare-general.json $(foreach task,$(TASKS),$(W)/compare-task-$(call name,$(task)).json) \
    $(foreach task,$(CHOICES),$(W)/compare-choice-$(call name,$(task)).json)

$(W)/report.txt $(W)/report.tsv &: $(COMPARED) $(W)/general-base.json $(W)/general-tuned.json
	sh pipelines/forgetting-report.sh $(W) $(SHARE) $(COMPARED) > $(W)/report.txt
endif
