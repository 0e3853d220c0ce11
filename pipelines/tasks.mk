# tasks.mk: two tasks over the same package descriptions, for the recipes with more than one task:
# "summary" writes the one-line summary, "section" names the section of the archive. Included after
# data.mk; SUMMARY=… and SECTION=… (JSON lines) take other examples.

SUMMARY ?= $(W)/summary.jsonl
SECTION ?= $(W)/section.jsonl
TASKS   := summary section

$(W)/summary.jsonl: $(RAW)
	@mkdir -p $(@D)
	cp $< $@

define ASK_SECTION
(.messages[0].content | sub("^[^\n]*\n\n"; "")) as $$text | {id: .id, group: .group, messages: [
    {role: "user", content: ("Name the section of this package:\n\n" + $$text)},
    {role: "assistant", content: .label}]}
endef
export ASK_SECTION
$(W)/section.jsonl: $(RAW)
	@mkdir -p $(@D)
	jq -c "$$ASK_SECTION" $< > $@

$(W)/summary-all.ft: $(SUMMARY)
$(W)/section-all.ft: $(SECTION)
$(TASKS:%=$(W)/%-all.ft):
	@mkdir -p $(@D)
	ft-import -i $< | ft-dedup -o $@

# Answers that many examples share are labels, and say nothing of a leak.
define SPLIT_TASK
$(W)/$(1)-train.ft $(W)/$(1)-val.ft $(W)/$(1)-test.ft &: $(W)/$(1)-all.ft
	ft-split -i $$< $(SPLIT) --common 1 --to $(W)/$(1)-train.ft,$(W)/$(1)-val.ft,$(W)/$(1)-test.ft
endef
$(foreach t,$(TASKS),$(eval $(call SPLIT_TASK,$(t))))
