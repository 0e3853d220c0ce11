# continual.mk: one task after the other with the same adapter. What has the first task left after
# the second? Tuned on A, then on B alone, then on B with some of A between (replay): both losses
# at each stage.
#
#   make -f pipelines/continual.mk SUMMARY=a.jsonl SECTION=b.jsonl W=out REPLAY=10

W      ?= build/continual
REPLAY ?= 10
TRAIN_OPTIONS ?= --lora-rank 16 --lr 2e-4 --batch 16 --epochs 1 --seed 1

.PHONY: continual
continual: $(W)/continual.tsv
	@echo
	@echo "Loss of both tasks at each stage, nats a token:"
	@echo
	@printf '  %-24s %10s %10s\n' stage summary section
	@awk -F '\t' '{ printf "  %-24s %10.4f %10.4f\n", $$1, $$2, $$3 }' $<

include $(dir $(lastword $(MAKEFILE_LIST)))data.mk
include $(HERE)tasks.mk

TRAIN = ft-train -m $(MODEL) --checkpoint $@.checkpoint --resume $(TRAIN_OPTIONS)

$(W)/first.ft: $(W)/summary-train.packed $(W)/summary-val.packed
	$(TRAIN) -i $< --val $(W)/summary-val.packed -o $@
	@rm -rf $@.checkpoint

$(W)/then-alone.ft: $(W)/section-train.packed $(W)/section-val.packed $(W)/first.ft
	$(TRAIN) -i $< --val $(W)/section-val.packed --init $(W)/first.ft -o $@
	@rm -rf $@.checkpoint

$(W)/replayed.packed: $(W)/section-train.ft $(W)/summary-train.ft
	for t in section summary; do \
	    ft-tokenize -i $(W)/$$t-train.ft -m $(MODEL) --json -o $(W)/$$t-tokens.ft \
	        2>$(W)/$$t-tokens.json; done
	ft-mix --by tokens --ratio $$((100 - $(REPLAY))),$(REPLAY) --shuffle --seed 1 --max-epochs 100 \
	    --until $$(( $$(jq .tokens $(W)/section-tokens.json) * 100 / (100 - $(REPLAY)) )) \
	    $(W)/section-tokens.ft $(W)/summary-tokens.ft | \
	    ft-pack -l $(LENGTH) --long drop -o $@
$(W)/then-replayed.ft: $(W)/replayed.packed $(W)/section-val.packed $(W)/first.ft
	$(TRAIN) -i $< --val $(W)/section-val.packed --init $(W)/first.ft -o $@
	@rm -rf $@.checkpoint

STAGES := base first then-alone then-replayed
$(W)/loss-base-%.json: $(W)/%-test.packed
	ft-eval -q -i $< -m $(MODEL) --json > $@
define LOSSES
$(W)/loss-$(1)-%.json: $(W)/%-test.packed $(W)/$(1).ft
	ft-eval -q -i $$< -m $(MODEL) -a $(W)/$(1).ft --json > $$@
endef
$(foreach s,$(filter-out base,$(STAGES)),$(eval $(call LOSSES,$(s))))

$(W)/continual.tsv: $(foreach s,$(STAGES),$(W)/loss-$(s)-summary.json $(W)/loss-$(s)-section.json)
	@{ for s in $(STAGES); do \
	    jq -r -s --arg s $$s '[$$s, .[].loss] | @tsv' \
	        $(W)/loss-$$s-summary.json $(W)/loss-$$s-section.json; \
	done; } > $@
