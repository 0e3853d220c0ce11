# multi-task.mk: one base, an adapter for each task, and one stream of questions of both kinds, each
# answered with the adapter that its record names.
#
#   make -f pipelines/multi-task.mk SUMMARY=a.jsonl SECTION=b.jsonl W=out

W       ?= build/multi-task
METRICS ?= rougeL,em
TOKENS  ?= 40
TRAIN_OPTIONS ?= --lora-rank 16 --lr 2e-4 --batch 16 --epochs 1 --seed 1

.PHONY: multi-task
multi-task: $(W)/scores-base.jsonl $(W)/scores-tuned.jsonl
	@for t in summary section; do \
	    echo; echo "The task $$t, the base against the adapter:"; echo; \
	    for s in base tuned; do \
	        jq -c "select(.task == \"$$t\")" $(W)/scores-$$s.jsonl > $(W)/scores-$$s-$$t.jsonl; done; \
	    ft-compare -q --json --metrics $(METRICS) --names base,$$t --seed 1 \
	        $(W)/scores-base-$$t.jsonl $(W)/scores-tuned-$$t.jsonl | \
	        jq -r '.comparisons[] | "  \(.metric): base \(.base.mean), adapter \(.other.mean); \(.says)"'; \
	done

include $(dir $(lastword $(MAKEFILE_LIST)))data.mk
include $(HERE)tasks.mk

$(W)/adapter-%.ft: $(W)/%-train.packed $(W)/%-val.packed
	ft-train -i $< -m $(MODEL) --val $(W)/$*-val.packed --log $(W)/train-$*.log \
	    --checkpoint $(W)/checkpoint-$* --resume $(TRAIN_OPTIONS) -o $@
	@rm -rf $(W)/checkpoint-$*

# Both test sets in one stream; `adapter` says who is to answer.
$(W)/questions.jsonl: $(TASKS:%=$(W)/%-test.ft)
	for t in $(TASKS); do \
	    ft-export -q -i $(W)/$$t-test.ft | jq -c --arg t $$t '.adapter = $$t | .id = "\($$t) \(.id)"'; \
	done > $@
$(W)/questions.ft: $(W)/questions.jsonl
	ft-import -i $< -o $@

$(W)/answers-base.ft: $(W)/questions.jsonl
	jq -c 'del(.adapter)' $< | ft-import | ft-generate -m $(MODEL) --max-tokens $(TOKENS) -o $@
comma := ,
space := $(subst ,, )
$(W)/answers-tuned.ft: $(W)/questions.ft $(TASKS:%=$(W)/adapter-%.ft)
	ft-generate -i $< -m $(MODEL) --max-tokens $(TOKENS) -o $@ \
	    --adapters $(subst $(space),$(comma),$(foreach t,$(TASKS),$(t)=$(W)/adapter-$(t).ft))

$(W)/scores-%.jsonl: $(W)/answers-%.ft
	ft-eval -i $< --metrics $(METRICS) --bootstrap 0 --scores $(W)/raw-$*.jsonl
	jq -c '.task = (.id | split(" ")[0])' $(W)/raw-$*.jsonl > $@
