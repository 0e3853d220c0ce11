# forgetting.mk: how much a model forgets of what it was while it learns, and how much of that a few
# general examples among the training data (replay) prevent: one run for each share of them, both
# losses, a table and a picture.
#
#   make -f pipelines/forgetting.mk RAW=mine.jsonl GENERAL=chats.jsonl W=out SHARES='0 5 10 25'
#
# A share is per cent of the training tokens; all of RAW is trained on in each run. Without GENERAL
# the model's own answers to everyday questions are replayed (general.mk).

W      ?= build/forgetting
SHARES ?= 0 5 10 25
TRAIN_OPTIONS ?= --lora-rank 16 --lr 5e-4 --batch 16 --epochs 1 --seed 1

.PHONY: forgetting
forgetting: $(W)/forgetting.tsv $(W)/forgetting.svg
	@echo
	@echo "Loss after tuning with so much replay (per cent of the tokens), nats a token:"
	@echo
	@printf '  %-8s %10s %12s\n' replay domain general
	@awk '{ printf "  %-8s %10.4f %12.4f\n", $$1, $$2, $$3 }' $(W)/forgetting.tsv
	@echo
	@echo "The picture: $(W)/forgetting.svg"

include $(dir $(lastword $(MAKEFILE_LIST)))data.mk
include $(HERE)general.mk

$(W)/tokens-%.ft: $(W)/%.ft
	ft-tokenize -i $< -m $(MODEL) --json -o $@ 2>$(W)/tokens-$*.json

# All of the domain's tokens once, and general ones between them at their share, again where there
# are too few.
$(W)/mixed-0.packed: $(W)/tokens-train.ft
	ft-pack -l $(LENGTH) --long drop -i $< -o $@
$(W)/mixed-%.packed: $(W)/tokens-train.ft $(W)/tokens-general-train.ft
	ft-mix --by tokens --ratio $$((100 - $*)),$* --max-epochs 100 --shuffle --seed 1 \
	    --until $$(( $$(jq .tokens $(W)/tokens-train.json) * 100 / (100 - $*) )) $^ | \
	    ft-pack -l $(LENGTH) --long drop -o $@

$(W)/adapter-%.ft: $(W)/mixed-%.packed $(W)/val.packed
	ft-train -i $< -m $(MODEL) --val $(W)/val.packed --log $(W)/train-$*.log \
	    --checkpoint $(W)/checkpoint-$* --resume $(TRAIN_OPTIONS) -o $@
	@rm -rf $(W)/checkpoint-$*

# loss-SHARE-SET.json; the share "base" is the model before tuning.
$(W)/loss-base-%.json: $(W)/%.packed
	ft-eval -q -i $< -m $(MODEL) --json > $@
define LOSSES
$(W)/loss-$(1)-%.json: $(W)/%.packed $(W)/adapter-$(1).ft
	ft-eval -q -i $$< -m $(MODEL) -a $(W)/adapter-$(1).ft --json > $$@
endef
$(foreach s,$(SHARES),$(eval $(call LOSSES,$(s))))

RUNS := base $(SHARES)
$(W)/forgetting.tsv: $(foreach r,$(RUNS),$(W)/loss-$(r)-test.json $(W)/loss-$(r)-general-test.json)
	@for r in $(RUNS); do \
	    printf '%s\t' $$r; \
	    jq -r -s 'map(.loss) | @tsv' $(W)/loss-$$r-test.json $(W)/loss-$$r-general-test.json; \
	done > $@

$(W)/forgetting.svg: $(W)/forgetting.tsv
	gnuplot -e "set terminal svg size 640,400 background '#ffffff'; set output '$@'; \
	    set xlabel 'loss on the domain, nats a token'; set ylabel 'loss on general examples'; \
	    set key off; set grid; set offsets graph 0.1, graph 0.1, graph 0.1, graph 0.1; \
	    plot '$<' using 2:3 with points pt 7 lc rgb '#2060a0', \
	         '$<' using 2:3:1 with labels offset 0,1"
