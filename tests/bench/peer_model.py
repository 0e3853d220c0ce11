"""peer_model.py: the model and the LoRA adapter of the peer, for train_peer.py and epoch_peer.py.
Made for torch 2.15.0, transformers 5.23.0, peft 0.21.2, bitsandbytes 0.50."""
import json
import os

import numpy as np
import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from transformers import AutoModelForCausalLM, GgufConfig

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def add_options(p):
    p.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    p.add_argument("--nf4", metavar="FOLDER",
                   help="NF4 with double quantisation by bitsandbytes; FOLDER: where the model is "
                        "put as transformers wants it first")
    p.add_argument("--compile", action="store_true", help="torch.compile the forward pass")
    p.add_argument("--initial", metavar="FOLDER",
                   help="initial adapter: tensors that adapter_dump.py wrote")
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--threads", type=int, default=2)


def load_gguf(path, dtype):
    """The model with dense weights of this type, whatever kernels for packed ones are there."""
    folder, _, name = path.rpartition("/")
    return AutoModelForCausalLM.from_pretrained(
        folder or ".", gguf_file=name, dtype=dtype,
        quantization_config=GgufConfig(gguf_file=name, dequantize=True))


def save_unquantised(path, out, dtype):
    """The weights of a GGUF file as an ordinary folder: what was loaded from GGUF counts as
    quantised in transformers, which neither saves nor quantises it again."""
    source = load_gguf(path, dtype)
    config = source.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.load_state_dict(source.state_dict())
    model.save_pretrained(out)


def load_base(a, dtype):
    if not a.nf4:
        return load_gguf(a.model, dtype)
    from transformers import BitsAndBytesConfig
    if not os.path.exists(os.path.join(a.nf4, "config.json")):
        save_unquantised(a.model, a.nf4, dtype)
    return AutoModelForCausalLM.from_pretrained(
        a.nf4, dtype=dtype, device_map="cpu", quantization_config=BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype))


def load(a):
    """The model with a fresh adapter (or the one of --initial), and what is to be trained."""
    torch.set_num_threads(a.threads)
    model = load_base(a, torch.float32 if a.dtype == "f32" else torch.bfloat16)
    model.config.use_cache = False
    model = get_peft_model(model, LoraConfig(
        r=16, lora_alpha=32, lora_dropout=0.0, task_type="CAUSAL_LM", target_modules=TARGETS))
    if a.initial:
        with open(os.path.join(a.initial, "index.json")) as f:
            index = json.load(f)
        set_peft_model_state_dict(model, {
            k: torch.from_numpy(np.fromfile(os.path.join(a.initial, v["file"]), "<f4"))
            .reshape(v["shape"]) for k, v in index.items()})
    if a.compile:
        model.forward = torch.compile(model.forward)
    model.train()
    return model, [x for x in model.parameters() if x.requires_grad]


def read_rows(path):
    """(ids, labels) of each segment of what ft-cat prints of a packed stream."""
    with open(path) as f:
        for line in f:
            for s in json.loads(line)["segments"]:
                yield s["ids"], [i if bit else -100 for i, bit in zip(s["ids"], s["mask"])]
