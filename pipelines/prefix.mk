# prefix.mk: prefix tuning (Li and Liang 2021): nothing in the model changes; keys and values of some
# virtual tokens before every text are learned at each layer. A twentieth of LoRA's parameters, for
# many small tasks over one base; weaker where much has to be learned.
#
#   make -f pipelines/prefix.mk RAW=mine.jsonl W=out
#
# METHOD=prompt learns input embeddings instead (Lester et al. 2021). Neither can be merged: an
# adapter of virtual tokens is given to ft-generate with -a.

W ?= build/prefix
METHOD ?= prefix
TRAIN_OPTIONS ?= --method $(METHOD) --$(METHOD)-tokens 20 --batch 16 --epochs 2 --seed 1

.PHONY: prefix size
prefix: table size verdict

include $(dir $(lastword $(MAKEFILE_LIST)))sft.mk

size: $(W)/adapter.ft
	@echo
	@echo "The adapter: $$(wc -c < $<) bytes; the model: $$(wc -c < $(MODEL))."
