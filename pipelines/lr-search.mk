# lr-search.mk: which learning rate suits these data: short runs under GNU parallel, the validation
# loss of each, a picture and a recommendation with its reason.
#
#   make -f pipelines/lr-search.mk RAW=mine.jsonl W=out RATES='1e-4 3e-4 1e-3'
#
# Interrupted, it goes on: finished runs are in the job log, the one at work has its checkpoint.
# JOBS runs at a time share the processors; the result does not depend on it.

W       ?= build/lr-search
RATES   ?= 3e-5 1e-4 3e-4 1e-3 3e-3
# Examples to train on: enough to see which way the loss goes.
SHORT   ?= 200
JOBS    ?= 1
SEARCH_OPTIONS ?= --lora-rank 16 --batch 16 --epochs 1 --seed 1

.PHONY: lr-search
lr-search: $(W)/recommendation.txt $(W)/rates.svg
	@echo
	@cat $(W)/recommendation.txt
	@echo "The picture: $(W)/rates.svg"

include $(dir $(lastword $(MAKEFILE_LIST)))data.mk

$(W)/short.packed: $(W)/train.packed
	ft-mix --by examples --until $(SHORT) -o $@ $<

THREADS := $(shell expr $$(nproc) / $(JOBS) \| 1)

$(W)/runs.done: $(W)/short.packed $(W)/val.packed
	@mkdir -p $(W)/runs
	@if [ -e $(W)/jobs.log ] && [ $(W)/short.packed -nt $(W)/jobs.log ]; then \
	    rm -rf $(W)/jobs.log $(W)/runs/*; fi
	parallel --will-cite --jobs $(JOBS) --joblog $(W)/jobs.log --resume-failed --halt now,fail=1 \
	    sh $(HERE)lr-run.sh $(W) $(MODEL) $(THREADS) {} $(SEARCH_OPTIONS) ::: $(RATES)
	@touch $@
# Another list of rates runs those that are not done.
ifneq ($(wildcard $(foreach r,$(RATES),$(W)/runs/$(r).json)),$(foreach r,$(RATES),$(W)/runs/$(r).json))
.PHONY: $(W)/runs.done
endif

$(W)/recommendation.txt $(W)/rates.tsv &: $(W)/runs.done
	sh $(HERE)lr-recommend.sh $(W)/runs $(RATES) > $(W)/recommendation.txt
	mv $(W)/runs/rates.tsv $(W)/rates.tsv

$(W)/rates.svg: $(W)/rates.tsv
	gnuplot -e "set terminal svg size 640,400 background '#ffffff'; set output '$@'; \
	    set logscale x; set xlabel 'learning rate'; set ylabel 'validation loss, nats a token'; \
	    set key off; set grid; set datafile missing '-'; \
	    plot '$<' using 1:2:3 with yerrorbars pt 7 lc rgb '#2060a0', \
	         '$<' using 1:2 with lines lc rgb '#2060a0'"
