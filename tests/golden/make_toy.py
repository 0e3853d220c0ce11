"""make_toy.py: writes toy.gguf, the small Llama model that the tests run.

    python3 make_toy.py [toy.gguf]

Made with gguf 0.19.0, tokenizers 0.23.3 and numpy 2.4.6; only a change of the toy needs them. The
weights come from one seed, so generators of other golden files import make_hf_state_dict() and
CONFIG to build the same model elsewhere. Two layers, grouped-query attention, tied head, F32.
"""
import sys

import numpy as np

CONFIG = dict(layers=2, channels=32, heads=4, kv_heads=2, head_dim=8, mlp=64, vocab=512,
              context=256, rope_theta=10000.0, rms_eps=1e-5)

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

# The chat template that SmolLM2-135M-Instruct carries in its metadata, byte for byte.
TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\n' }}{% endif %}")

TEXT = """
The library holds the functions that the programs share, and the programs are small. Each one reads
a stream of records from its standard input and writes another to its standard output. When the end
of the input has been verified, the end of the output is written; before that nothing looks whole.
A package manager installs the software that other packages depend on, and removes it when nothing
depends on it any longer. This package contains the header files and the development tools. It is
the shared library for the client and the server. The user can configure the server with a file in
the system folder, or give options on the command line. There are bindings for several languages.
You should write down what you think that the answer will be before you look at the result. If they
are not the same, then there is something to learn: either the question was wrong or the idea was.
She said that he would have been there by now, but the train from the north was late again because
of the weather. We could see the lights of the town across the water, where people were going home.
In the morning the children went out into the garden and found that all the apples had come down in
the night. Their mother told them to bring in as many as they could carry, so that she might make a
pie with some and keep the rest for the winter, which was known to be long and cold in that country.
Please summarise this text in one sentence. What does the tool do? How can I compress data quickly?
def main(argc, argv): return process(values[0], count + 1) if len(values) > 10 else None
"""


def make_hf_state_dict():
    """The weights under Hugging Face's names, rows of q and k in Hugging Face's order."""
    c = CONFIG
    rng = np.random.default_rng(20240229)

    def matrix(rows, cols, std):
        return (rng.standard_normal((rows, cols)) * std).astype(np.float32)

    def norm():
        return (1.0 + 0.1 * rng.standard_normal(c["channels"])).astype(np.float32)

    C, F, kv = c["channels"], c["mlp"], c["kv_heads"] * c["head_dim"]
    sd = {"model.embed_tokens.weight": matrix(c["vocab"], C, 0.3)}
    for layer in range(c["layers"]):
        p = f"model.layers.{layer}."
        sd[p + "input_layernorm.weight"] = norm()
        for name, rows, cols in [("self_attn.q_proj", C, C), ("self_attn.k_proj", kv, C),
                                 ("self_attn.v_proj", kv, C), ("self_attn.o_proj", C, C)]:
            sd[p + name + ".weight"] = matrix(rows, cols, 0.25)
        sd[p + "post_attention_layernorm.weight"] = norm()
        for name, rows, cols in [("mlp.gate_proj", F, C), ("mlp.up_proj", F, C),
                                 ("mlp.down_proj", C, F)]:
            sd[p + name + ".weight"] = matrix(rows, cols, 0.2)
    sd["model.norm.weight"] = norm()
    return sd


def permuted(w, heads):
    """Hugging Face's (half, pair) rows of each head as GGUF's (pair, half)."""
    half = w.shape[0] // heads // 2
    return w.reshape(heads, 2, half, w.shape[1]).swapaxes(1, 2).reshape(w.shape)


def make_tokenizer():
    """A byte-level BPE tokenizer (digits one by one) trained on TEXT up to CONFIG's vocabulary."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator([TEXT], trainers.BpeTrainer(
        vocab_size=CONFIG["vocab"], special_tokens=SPECIALS, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), min_frequency=1))
    return t


def tokens_and_merges():
    import json
    model = json.loads(make_tokenizer().to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    assert len(tokens) == CONFIG["vocab"] and tokens[:3] == SPECIALS
    return tokens, [" ".join(m) for m in model["merges"]]


def write_tokenizer(w):
    tokens, merges = tokens_and_merges()
    w.add_add_space_prefix(False)
    w.add_add_bos_token(False)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("smollm")
    w.add_token_list(tokens)
    w.add_token_types([3] * len(SPECIALS) + [1] * (len(tokens) - len(SPECIALS)))
    w.add_token_merges(merges)
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_unk_token_id(0)
    w.add_pad_token_id(2)
    w.add_chat_template(TEMPLATE)


def main():
    import gguf
    c = CONFIG
    w = gguf.GGUFWriter(sys.argv[1] if len(sys.argv) > 1 else "toy.gguf", "llama")
    w.add_type("model")
    w.add_name("toy")
    w.add_block_count(c["layers"])
    w.add_context_length(c["context"])
    w.add_embedding_length(c["channels"])
    w.add_feed_forward_length(c["mlp"])
    w.add_head_count(c["heads"])
    w.add_head_count_kv(c["kv_heads"])
    w.add_rope_freq_base(c["rope_theta"])
    w.add_layer_norm_rms_eps(c["rms_eps"])
    w.add_file_type(0)
    w.add_vocab_size(c["vocab"])
    w.add_rope_dimension_count(c["head_dim"])
    write_tokenizer(w)
    names = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
             "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
             "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
             "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
    heads = {"self_attn.q_proj": c["heads"], "self_attn.k_proj": c["kv_heads"]}
    for name, value in make_hf_state_dict().items():
        if name.startswith("model.layers."):
            layer, part = name[len("model.layers."):-len(".weight")].split(".", 1)
            if part in heads:
                value = permuted(value, heads[part])
            name = f"blk.{layer}.{names[part]}.weight"
        else:
            name = {"model.embed_tokens.weight": "token_embd.weight",
                    "model.norm.weight": "output_norm.weight"}[name]
        w.add_tensor(name, value)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


if __name__ == "__main__":
    main()
