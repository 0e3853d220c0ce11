"""make_peft.py: writes peft/, adapters of the toy model as peft saves them, and peft.txt, what the
model loses with each.

    python3 make_peft.py FOLDER

Made with torch 2.15.0, transformers 5.23.0, peft 0.21.2, safetensors 0.8.0 and tokenizers 0.23.3, in
fp32; rslora is saved in bf16, and its loss is that of the rounded values. Lines of peft.txt:
    text TEXT           what the losses are of, a line each
    ids IDS...          the ids of the text before it, raw: all but the first are targets
    loss NAME LOSS      nats a target over all texts; NAME: a folder, or base for the bare model
The bench asks the same of an adapter that ft exported: make_peft.py loss MODEL-OR-toy ADAPTER IDS,
IDS being a file with a JSON list of ids a line.
"""
import json
import os
import shutil
import sys

import torch
from gguf import GGUFReader
from peft import (IA3Config, LoraConfig, PeftModel, PrefixTuningConfig, PromptTuningConfig,
                  get_peft_model)
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

from make_generate import TARGETS, real, toy

TEXTS = ["The package manager removes what no other package depends on any longer.",
         "Write the answer down before you look at the result!",
         "In 1984 the train from the north was late by 37 minutes, as always."]
COMMON = dict(task_type="CAUSAL_LM")


def configs():
    yield "lora", LoraConfig(r=4, lora_alpha=6, lora_dropout=0.1, target_modules=TARGETS, **COMMON)
    yield "rslora", LoraConfig(r=8, lora_alpha=4, target_modules=["q_proj", "v_proj"],
                               use_rslora=True, **COMMON)
    yield "dora", LoraConfig(r=3, lora_alpha=6, target_modules="all-linear", use_dora=True,
                             **COMMON)
    yield "prefix", PrefixTuningConfig(num_virtual_tokens=5, **COMMON)
    yield "prompt", PromptTuningConfig(num_virtual_tokens=4, **COMMON)
    yield "ia3", IA3Config(target_modules=["k_proj", "v_proj", "down_proj"],
                           feedforward_modules=["down_proj"], **COMMON)


@torch.no_grad()
def disturb(model):
    """Values as training might leave them: none is at its initial value."""
    for name, p in model.named_parameters():
        if "lora_A" in name:
            p.normal_(0, 0.3)
        elif "lora_B" in name:
            p.normal_(0, 0.1)
        elif "magnitude" in name or "ia3_l" in name:
            p.mul_(1 + 0.3 * torch.randn_like(p))
        elif "prompt_encoder" in name:
            p.normal_(0, 0.4)


def toy_ids(text):
    r = GGUFReader(os.path.join(os.path.dirname(os.path.abspath(__file__)), "toy.gguf"))

    def strings(field):
        f = r.fields[field]
        return [bytes(f.parts[i]).decode() for i in f.data]
    tokens, merges = strings("tokenizer.ggml.tokens"), strings("tokenizer.ggml.merges")
    t = Tokenizer(models.BPE(vocab={s: i for i, s in enumerate(tokens)},
                             merges=[tuple(m.split(" ")) for m in merges]))
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    return t.encode(text).ids


@torch.no_grad()
def loss(model, segments):
    """Virtual tokens stand before the logits of the text."""
    total, targets = 0.0, 0
    for ids in segments:
        x = torch.tensor([ids])
        logits = model(input_ids=x, attention_mask=torch.ones_like(x)).logits[0, -len(ids):]
        total += torch.nn.functional.cross_entropy(logits[:-1].double(), x[0, 1:],
                                                   reduction="sum").item()
        targets += len(ids) - 1
    return total / targets


def in_bf16(path):
    with safe_open(path, "pt") as f:
        tensors = {k: f.get_tensor(k).bfloat16() for k in f.keys()}
    save_file(tensors, path, {"format": "pt"})


def name_base(path):
    """peft takes the base's name from where it was loaded; the toy was not loaded."""
    with open(path) as f:
        config = json.load(f)
    config.update(base_model_name_or_path="lab/toy-llama", revision="v1")
    with open(path, "w") as f:
        f.write(json.dumps(config, indent=2, sort_keys=True))


def main(folder):
    torch.manual_seed(11)
    segments = [toy_ids(t) for t in TEXTS]
    with open(folder + "/peft.txt", "w") as out:
        for text, ids in zip(TEXTS, segments):
            print("text", text, file=out)
            print("ids", *ids, file=out)
        print("loss base", f"{loss(toy(), segments):.9g}", file=out)
        for name, config in configs():
            path = f"{folder}/peft/{name}"
            shutil.rmtree(path, ignore_errors=True)
            model = get_peft_model(toy(), config).eval()
            disturb(model)
            model.save_pretrained(path)
            os.remove(path + "/README.md")
            os.chmod(path + "/adapter_model.safetensors", 0o644)
            if name == "rslora":
                in_bf16(path + "/adapter_model.safetensors")
            again = PeftModel.from_pretrained(toy(), path).eval()
            print("loss", name, f"{loss(again, segments):.9g}", file=out)
            if name == "lora":
                name_base(path + "/adapter_config.json")


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    if sys.argv[1] == "loss":
        base = toy() if sys.argv[2] == "toy" else real(sys.argv[2])
        with open(sys.argv[4]) as f:
            print(loss(PeftModel.from_pretrained(base, sys.argv[3]).eval(), map(json.loads, f)))
    else:
        main(sys.argv[1])
