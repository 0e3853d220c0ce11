# methods.mk: every method of fine-tuning on the same data, with its default settings: what it
# trains, how low the loss gets, what it makes the model forget, how fast it is and what memory it
# takes, as a table (text, TSV and Markdown) and a picture.
#
#   make -f pipelines/methods.mk RAW=mine.jsonl W=out
#   make -f pipelines/methods.mk METHODS='lora dora ia3' TRAIN_OPTIONS='--epochs 2 --seed 1'

W       ?= build/methods
# Some 400 examples: enough to see where each method goes.
EVERY   ?= 150
METHODS ?= lora rslora dora loraplus pissa olora qlora prefix prompt pfeiffer houlsby ia3 full
TRAIN_OPTIONS ?= --batch 16 --epochs 1 --seed 1

# What is typed for each; rates are the methods' own.
OPTIONS_lora     := --method lora
OPTIONS_rslora   := --method lora --lora-rslora
OPTIONS_dora     := --method lora --lora-dora
OPTIONS_loraplus := --method lora --lora-plus 16
OPTIONS_pissa    := --method lora --lora-init pissa
OPTIONS_olora    := --method lora --lora-init olora
OPTIONS_qlora    := --method lora --base nf4
OPTIONS_prefix   := --method prefix
OPTIONS_prompt   := --method prompt
OPTIONS_pfeiffer := --method adapter --adapter-kind pfeiffer
OPTIONS_houlsby  := --method adapter --adapter-kind houlsby
OPTIONS_ia3      := --method ia3
OPTIONS_full     := --method full --base f32

.PHONY: methods
methods: $(W)/methods.md $(W)/methods.svg
	@echo
	@awk -F '\t' '{ printf "  %-9s %10s %9s %8s %10s %9s %6s\n", $$1, $$2, $$3, $$4, $$5, $$6, $$7 }' \
	    $(W)/methods.tsv
	@echo
	@echo "For documents: $(W)/methods.md; the picture: $(W)/methods.svg"

include $(dir $(lastword $(MAKEFILE_LIST)))data.mk
include $(HERE)general.mk

# The memory is that of the whole program at its highest.
$(W)/%.adapter.ft: $(W)/train.packed $(W)/val.packed
	/usr/bin/time -f '%M' -o $(W)/$*.memory \
	    ft-train -i $< -m $(MODEL) --val $(W)/val.packed --log $(W)/$*.log --json \
	    $(OPTIONS_$*) $(TRAIN_OPTIONS) -o $@ 2>$(W)/$*.train.json || \
	    { cat $(W)/$*.train.json >&2; exit 1; }

define LOSSES
$(W)/$(1).%.json: $(W)/%.packed $(W)/$(1).adapter.ft
	ft-eval -q -i $$< -m $(MODEL) -a $(W)/$(1).adapter.ft --json > $$@
endef
$(foreach m,$(METHODS),$(eval $(call LOSSES,$(m))))
$(W)/base.%.json: $(W)/%.packed
	ft-eval -q -i $< -m $(MODEL) --json > $@

SETS := test general-test
$(W)/methods.tsv: $(foreach m,base $(METHODS),$(SETS:%=$(W)/$(m).%.json))
	@{ printf 'method\ttrained\tshare, %%\tloss\tforgotten\ttokens/s\tMiB\n'; \
	for m in base $(METHODS); do \
	    loss=$$(jq .loss $(W)/$$m.test.json); \
	    forgotten=$$(jq -n --slurpfile a $(W)/base.general-test.json \
	        --slurpfile b $(W)/$$m.general-test.json '$$b[0].loss - $$a[0].loss'); \
	    if [ $$m = base ]; then set -- 0 0 - -; else \
	        set -- $$(jq -r '"\(.parameters) \(.parameters_share) \(.tokens_per_s)"' \
	            $(W)/$$m.train.json) $$(cat $(W)/$$m.memory); fi; \
	    echo $$m $$1 $$2 $$loss $$forgotten $$3 $$4 | awk -v OFS='\t' '{ \
	        print $$1, $$2, sprintf("%.3f", 100 * $$3), sprintf("%.4f", $$4), \
	            sprintf("%+.4f", $$5), $$6 == "-" ? "-" : int($$6 + 0.5), \
	            $$7 == "-" ? "-" : int($$7 / 1024) }'; \
	done; } > $@

$(W)/methods.md: $(W)/methods.tsv
	awk -F '\t' '{ line = "|"; rule = "|"; \
	    for (i = 1; i <= NF; i++) { line = line " " $$i " |"; rule = rule "---|" } \
	    print line; if (NR == 1) print rule }' $< > $@

$(W)/methods.svg: $(W)/methods.tsv
	gnuplot -e "set terminal svg size 720,440 background '#ffffff'; set output '$@'; \
	    set datafile separator tab; set xlabel 'loss on the test split, nats a token'; \
	    set ylabel 'forgotten, nats a token of general answers'; set key off; set grid; \
	    set offsets graph 0.1, graph 0.1, graph 0.1, graph 0.1; \
	    plot '$<' using 4:5 every ::2 with points pt 7 lc rgb '#2060a0', \
	         '$<' using 4:5:1 every ::2 with labels offset 0,0.8"
