# general.mk: a set of general examples to replay and to measure forgetting by: everyday questions
# with the answers that the base model itself gives, so that nothing but the model is needed, and
# what is measured is how far tuning moves it away from itself. Included after data.mk.
#
# GENERAL=mine.jsonl takes other examples.

QUESTIONS ?= 360
REPLY     ?= 60
GENERAL   ?= $(W)/general.jsonl

define ANSWERED
{id, group, source, messages: (.messages + [{role: "assistant", content: .prediction}])}
endef
export ANSWERED

$(W)/general.jsonl: $(MODEL)
	@mkdir -p $(@D)
	sh $(HERE)general-prompts.sh $(QUESTIONS) | ft-import | \
	    ft-generate -m $(MODEL) --max-tokens $(REPLY) -o $(W)/general-answers.ft
	ft-export -i $(W)/general-answers.ft | jq -c "$$ANSWERED" > $@

# By the same split as other data: what is replayed is not what is measured.
$(W)/general-train.ft $(W)/general-test.ft &: $(GENERAL)
	ft-import -i $< | ft-split --group group --ratio 75,25 \
	    --to $(W)/general-train.ft,$(W)/general-test.ft
