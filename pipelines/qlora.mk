# qlora.mk: QLoRA (Dettmers et al. 2023): the frozen base in 4-bit NF4 with double quantisation, a
# LoRA adapter beside it. For models whose 16-bit weights do not fit the memory; on a model that
# fits it costs a little quality, which the table shows.
#
#   make -f pipelines/qlora.mk RAW=mine.jsonl W=out
#
# The adapter belongs to the base in NF4: ft-eval, ft-generate and ft-merge convert it again by
# themselves. $(W)/nf4.gguf is that base as a file, to deploy the adapter on.

W ?= build/qlora
TRAIN_OPTIONS ?= --base nf4 --lora-rank 16 --lr 2e-4 --batch 16 --epochs 1 --seed 1

.PHONY: qlora memory
qlora: table memory verdict $(W)/merged.gguf

include $(dir $(lastword $(MAKEFILE_LIST)))sft.mk

$(W)/nf4.gguf: $(MODEL)
	@mkdir -p $(@D)
	ft-quant -m $< -t nf4 -o $@
$(W)/nf4.json: $(W)/test.packed $(W)/nf4.gguf
	ft-eval -i $< -m $(W)/nf4.gguf --json > $@
RESULTS := base:$(MODEL) nf4:$(W)/nf4.gguf adapter:$(W)/nf4.gguf
table: $(W)/nf4.json

# What training takes, with the weights as they are in the file and in NF4.
$(W)/plan-%.json: $(W)/train.packed $(W)/val.packed
	ft-train -q -i $< -m $(MODEL) --val $(W)/val.packed $(TRAIN_OPTIONS) --base $* --plan --json > $@
memory: $(W)/plan-file.json $(W)/plan-nf4.json
	@echo
	@echo "Memory to train in, MiB:"
	@echo
	@printf '  %-10s %10s %10s\n' weights "weights'" all
	@for f in file nf4; do \
	    jq -r '[.weights, .peak] | map(. / 1048576) | @tsv' $(W)/plan-$$f.json | \
	    awk -v name=$$f '{ printf "  %-10s %10.1f %10.1f\n", name, $$1, $$2 }'; \
	done
