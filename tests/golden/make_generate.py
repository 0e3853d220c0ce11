"""make_generate.py: writes generate.txt, what transformers and peft answer and merge in fp32.

    python3 make_generate.py SmolLM2-135M-Instruct.Q4_1.gguf > generate.txt

Made with torch 2.15.0, transformers 5.23.0, peft 0.21.2, gguf 0.19.0 and numpy 2.4.6. Lines:
    answer MODEL LORA NAME N_PROMPT N_ANSWER prompt-ids... answer-ids... gaps...
        greedy answer, every step a full forward pass; a gap is the distance of the two best logits
    merged LAYER TARGET ROW COLUMN VALUE
        an element of toy's weights after peft's merge_and_unload, in Hugging Face's row order
LORA is 0 or the rank of the adapter that lora_value() makes; alpha is twice the rank.
"""
import sys

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

import make_toy

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
GGUF_NAMES = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
              "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
              "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
              "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}


def lora_value(tensor, n, size):
    """n values in (-size/2, size/2) by an integer hash that the C test has too."""
    x = np.arange(n, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(tensor * 97)
    x ^= x >> np.uint32(15)
    x *= np.uint32(2246822519)
    x ^= x >> np.uint32(13)
    return ((x.astype(np.float64) / 2.0**32 - 0.5) * size).astype(np.float32)


def with_lora(model, rank, size_b):
    model = get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.0,
                                             target_modules=TARGETS)).eval()
    for name, p in model.named_parameters():
        if "lora_" not in name:
            continue
        parts = name.split(".")
        tensor = (int(parts[4]) * 7 + TARGETS.index(parts[6])) * 2 + ("lora_B" in name)
        size = size_b if "lora_B" in name else 2.0 / p.shape[1] ** 0.5
        p.data = torch.from_numpy(lora_value(tensor, p.numel(), size).reshape(p.shape))
    return model


def toy():
    c = make_toy.CONFIG
    m = LlamaForCausalLM(LlamaConfig(
        vocab_size=c["vocab"], hidden_size=c["channels"], intermediate_size=c["mlp"],
        num_hidden_layers=c["layers"], num_attention_heads=c["heads"],
        num_key_value_heads=c["kv_heads"], max_position_embeddings=c["context"],
        rms_norm_eps=c["rms_eps"], rope_theta=c["rope_theta"], tie_word_embeddings=True))
    sd = {k: torch.from_numpy(v) for k, v in make_toy.make_hf_state_dict().items()}
    missing, extra = m.load_state_dict(sd, strict=False)
    assert missing == ["lm_head.weight"] and not extra
    m.tie_weights()
    return m.eval()


def real(path):
    r = GGUFReader(path)
    key = {k: v.parts[v.data[0]][0] for k, v in r.fields.items() if k.startswith("llama.")}
    heads, kv = int(key["llama.attention.head_count"]), int(key["llama.attention.head_count_kv"])
    sd = {}
    for t in r.tensors:
        w = np.array(dequantize(t.data, t.tensor_type), dtype=np.float32)
        parts = t.name.split(".")
        if parts[0] == "blk":
            h = {"attn_q": heads, "attn_k": kv}.get(parts[2])
            if h:
                w = w.reshape(h, w.shape[0] // h // 2, 2, -1).swapaxes(1, 2).reshape(w.shape)
            name = f"model.layers.{parts[1]}.{GGUF_NAMES[parts[2]]}.weight"
        else:
            name = {"token_embd": "model.embed_tokens.weight",
                    "output_norm": "model.norm.weight"}[parts[0]]
        sd[name] = torch.from_numpy(w.copy())
    m = LlamaForCausalLM(LlamaConfig(
        vocab_size=sd["model.embed_tokens.weight"].shape[0],
        hidden_size=int(key["llama.embedding_length"]),
        intermediate_size=int(key["llama.feed_forward_length"]),
        num_hidden_layers=int(key["llama.block_count"]), num_attention_heads=heads,
        num_key_value_heads=kv, max_position_embeddings=int(key["llama.context_length"]),
        rms_norm_eps=float(key["llama.attention.layer_norm_rms_epsilon"]),
        rope_theta=float(key["llama.rope.freq_base"]), tie_word_embeddings=True))
    missing, extra = m.load_state_dict(sd, strict=False)
    assert missing == ["lm_head.weight"] and not extra
    m.tie_weights()
    return m.eval()


@torch.no_grad()
def answer(model, model_name, lora, name, prompt, n):
    ids, gaps = list(prompt), []
    for _ in range(n):
        best = torch.topk(model(torch.tensor([ids])).logits[0, -1].double(), 2)
        gaps.append(float(best.values[0] - best.values[1]))
        ids.append(int(best.indices[0]))
    assert min(gaps) > 1e-3, (name, min(gaps))
    print("answer", model_name, lora, name, len(prompt), n, *ids, *(f"{g:.6f}" for g in gaps))


def toy_prompts():
    rng = np.random.default_rng(5)
    yield "one", [7]
    yield "short", [int(i) for i in rng.integers(3, 512, 12)]
    yield "long", [int(i) for i in rng.integers(3, 512, 150)]


def chat(text):
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    r = GGUFReader(sys.argv[1])

    def strings(field):
        f = r.fields[field]
        return [bytes(f.parts[i]).decode() for i in f.data]
    tokens, merges = strings("tokenizer.ggml.tokens"), strings("tokenizer.ggml.merges")
    t = Tokenizer(models.BPE(vocab={s: i for i, s in enumerate(tokens)},
                             merges=[tuple(m.split(" ")) for m in merges]))
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    t.add_special_tokens([AddedToken(s, special=True) for s in ["<|im_start|>", "<|im_end|>"]])
    return t.encode("<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by "
                    "Hugging Face<|im_end|>\n<|im_start|>user\n" + text +
                    "<|im_end|>\n<|im_start|>assistant\n").ids


def merged_elements(model):
    sd = model.merge_and_unload().state_dict()
    rng = np.random.default_rng(6)
    for layer in range(make_toy.CONFIG["layers"]):
        for target in TARGETS:
            block = "mlp" if target in ("gate_proj", "up_proj", "down_proj") else "self_attn"
            w = sd[f"model.layers.{layer}.{block}.{target}.weight"].numpy()
            for _ in range(24):
                row, col = int(rng.integers(w.shape[0])), int(rng.integers(w.shape[1]))
                print("merged", layer, TARGETS.index(target), row, col, f"{w[row, col]:.9g}")


def main():
    for name, prompt in toy_prompts():
        answer(toy(), "toy", 0, name, prompt, 24)
    model = with_lora(toy(), 4, 0.5)
    for name, prompt in toy_prompts():
        answer(model, "toy", 4, name, prompt, 24)
    merged_elements(model)
    model = real(sys.argv[1])
    answer(model, "real", 0, "capital", chat("What is the capital of France?"), 24)
    answer(model, "real", 0, "story", chat("Write a long story about a cat and the sea. " * 12), 24)
    answer(with_lora(model, 2, 0.02), "real", 2, "capital",
           chat("What is the capital of France?"), 24)


if __name__ == "__main__":
    main()
