"""peft_cases.py: adapters that PEFT could have saved, or somebody damaged, and what ft-import must
make of them.

    peft_cases.py GOLDEN FOLDER >LIST

Writes FOLDER/N/adapter_config.json and adapter_model.safetensors for each case, changed from the
golden adapters, and prints lines "N<tab>STATUS<tab>WORD<tab>WHAT": the exit status and a word that the
message must have. Written from the documentation of PEFT and safetensors, without ft.
"""
import json
import os
import struct
import sys

golden, folder = sys.argv[1:]
number = 0
DROP = object()


def read(name):
    with open(f"{golden}/{name}/adapter_config.json") as f:
        config = json.load(f)
    with open(f"{golden}/{name}/adapter_model.safetensors", "rb") as f:
        data = f.read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    header.pop("__metadata__")
    body = data[8 + n:]
    return config, {k: [v["dtype"], v["shape"], body[slice(*v["data_offsets"])]]
                    for k, v in header.items()}


def pack(tensors, metadata=None):
    header, body = {"__metadata__": {"format": "pt", **(metadata or {})}}, b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def case(status, word, what, config, model):
    global number
    number += 1
    path = f"{folder}/{number}"
    os.makedirs(path)
    if config is not None:
        with open(path + "/adapter_config.json", "wb") as f:
            f.write(config if isinstance(config, bytes) else json.dumps(config).encode())
    if model is not None:
        with open(path + "/adapter_model.safetensors", "wb") as f:
            f.write(model if isinstance(model, bytes) else pack(model))
    print(number, status, word or "-", what, sep="\t")


def key(base, status, word, name, value):
    """One key of the configuration with another value."""
    config, tensors = read(base)
    if value is DROP:
        config.pop(name, None)
    else:
        config[name] = value
    case(status, word, f"{base}: {name} = {'missing' if value is DROP else json.dumps(value)}",
         config, tensors)


def lora_keys():
    # What changes nothing of what the adapter does.
    for name, value in [("peft_version", "9.9"), ("inference_mode", False), ("auto_mapping", {}),
                        ("init_lora_weights", False), ("init_lora_weights", "gaussian"),
                        ("init_lora_weights", "eva"), ("loftq_config", {"loftq_bits": 4}),
                        ("qalora_group_size", 32), ("megatron_core", "other"), ("bias", None),
                        ("task_type", None), ("lora_dropout", DROP), ("rank_pattern", DROP),
                        ("future_switch", False), ("future_list", []), ("future_text", None),
                        ("lora_alpha", 6.0), ("exclude_modules", []), ("revision", None),
                        ("target_modules", "all-linear"),
                        ("target_modules", ["self_attn." + m + "_proj" for m in "qkvo"] +
                         ["mlp." + m + "_proj" for m in ("gate", "up", "down")])]:
        key("lora", 0, "", name, value)
    refused = [
        ("rank_pattern", {"q_proj": 2}), ("alpha_pattern", {"q_proj": 2}),
        ("modules_to_save", ["lm_head"]), ("layers_to_transform", [0]), ("layers_to_transform", 0),
        ("layers_pattern", "layers"), ("bias", "all"), ("bias", "lora_only"),
        ("fan_in_fan_out", True), ("lora_bias", True), ("exclude_modules", ["x"]),
        ("megatron_config", {"a": 1}), ("trainable_token_indices", [1]),
        ("layer_replication", [[0, 1]]), ("target_parameters", ["w"]), ("use_qalora", True),
        ("alora_invocation_tokens", [1]), ("use_bdlora", {"a": 1}), ("arrow_config", {"top_k": 1}),
        ("velora_config", {"a": 1}), ("monteclora_config", {"a": 1}), ("kasa_config", {"a": 1}),
        ("future_switch", True), ("future_number", 0), ("future\x1b[31m", "on"),
        ("task_type", "SEQ_CLS"), ("task_type", 1), ("peft_type", "ADALORA"), ("peft_type", None),
        ("peft_type", DROP), ("peft_type", 1), ("r", 0), ("r", -4), ("r", 4.0), ("r", "4"),
        ("r", DROP), ("r", None), ("r", 2 ** 40), ("lora_alpha", DROP), ("lora_alpha", "6"),
        ("lora_alpha", 1e39), ("lora_alpha", None), ("lora_dropout", 1.0), ("lora_dropout", -0.1),
        ("lora_dropout", "0"), ("use_rslora", "yes"), ("use_rslora", 1), ("use_dora", []),
        ("target_modules", None), ("target_modules", DROP), ("target_modules", ".*_proj"),
        ("target_modules", "q_proj"), ("target_modules", [1]), ("target_modules", [""]),
        ("target_modules", {"q_proj": 1}), ("init_lora_weights", "pissa"),
        ("init_lora_weights", "pissa_niter_4"), ("init_lora_weights", "olora"),
        ("init_lora_weights", "loftq"), ("init_lora_weights", "corda"),
        ("init_lora_weights", "lora_ga"), ("base_model_name_or_path", 5), ("revision", [])]
    for name, value in refused:
        key("lora", 65, name.split("\x1b")[0], name, value)
    key("lora", 65, "dimension 0 is 4, not 5", "r", 5)
    key("lora", 65, "target_modules does not name", "target_modules", ["q_proj", "v_proj"])
    key("lora", 65, "target_modules does not name", "target_modules", [])
    key("lora", 65, "target_modules does not name", "target_modules", ["proj"])
    key("rslora", 65, "k_proj.lora_A.weight: missing", "target_modules",
        ["q_proj", "v_proj", "k_proj"])
    key("rslora", 65, "target_modules does not name", "target_modules", ["q_proj"])


def files():
    config, tensors = read("lora")
    text = json.dumps(config).encode()
    case(66, "adapter_config.json", "no configuration", None, tensors)
    case(66, "adapter_model.safetensors", "no tensors' file", config, None)
    case(65, "adapter_config.json", "an empty configuration", b"", tensors)
    case(65, "not an object", "a list for a configuration", b"[]", tensors)
    case(65, "column", "a configuration that is cut off", text[:-1], tensors)
    case(65, "duplicate", "a key twice", text[:-1] + b', "r": 4}', tensors)
    case(65, "nesting", "deep nesting", b'{"a":' + b"[" * 4000 + b"]" * 4000 + b"}", tensors)
    case(65, "1 MiB", "a huge configuration", b" " * (1 << 20) + text, tensors)
    case(65, "header", "an empty tensors' file", config, b"")
    case(65, "header", "a tensors' file of zip", config, b"PK\x03\x04" * 40)
    whole = pack(tensors)
    case(65, "data_offsets", "a tensors' file that is cut off", config, whole[:-1])
    case(65, "1 bytes follow", "a byte more", config, whole + b"\0")
    for meta, word in [({"ft.base": "x"}, "ft.base"), ({"ft.base": "0" * 31 + "G"}, "ft.base"),
                       ({"ft.template": ""}, "ft.template"), ({"ft.transform": "q4"},
                                                              "ft.transform")]:
        case(65, word, f"metadata {meta}", config, pack(tensors, meta))
    case(0, "", "metadata of others", config, pack(tensors, {"other": "x", "ft.base": "ab" * 16}))


def tensors_of_lora():
    prefix = "base_model.model.model.layers.0."
    a = prefix + "self_attn.q_proj.lora_A.weight"

    def change(status, word, what, f):
        config, tensors = read("lora")
        f(tensors)
        case(status, word, "lora: " + what, config, tensors)

    def put(name, like=a, **more):
        def f(t):
            t[name] = list(t[like])
        return f

    change(0, "", "tensors in another order",
           lambda t: [t.__setitem__(k, t.pop(k)) for k in sorted(t, reverse=True)])
    change(65, a + ": missing", "a tensor less", lambda t: t.pop(a))
    change(65, "missing", "no tensor of layer 1",
           lambda t: [t.pop(k) for k in list(t) if ".layers.1." in k and "lora_A" in k])
    change(65, "missing", "a layer between", lambda t: [
        t.__setitem__(k.replace(".layers.1.", ".layers.2."), t.pop(k)) for k in list(t)
        if ".layers.1." in k])
    change(65, "no tensors", "no tensors", lambda t: t.clear())
    for name in ["base_model.model.lm_head.lora_A.weight", "lm_head.weight", a + "s", a[5:],
                 prefix + "self_attn.q_proj.lora_A.default.weight",
                 prefix + "self_attn.q_proj.lora_magnitude_vector",
                 prefix + "self_attn.q_proj.base_layer.weight",
                 prefix + "mlp.q_proj.lora_A.weight", a.replace(".0.", ".00."),
                 a.replace(".0.", ".-1."), a.replace(".0.", "."), a.replace(".0.", ".99999999."),
                 a.replace(".0.", ".18446744073709551616."), "prompt_embeddings",
                 prefix + "self_attn.q_proj.ia3_l"]:
        change(65, name, f"also {name}", put(name))
    for shape in ([32, 4], [128], [4, 32, 1], [1, 128], [2, 64]):
        change(65, "shape", f"shape {shape}", lambda t: t[a].__setitem__(1, shape))
    change(65, "shape", "no elements", lambda t: t.__setitem__(a, ["F32", [0, 32], b""]))
    change(65, "dtype", "F64", lambda t: t.__setitem__(a, ["F64", [4, 32], bytes(8 * 128)]))
    change(0, "", "F16", lambda t: t.__setitem__(a, ["F16", [4, 32], bytes(2 * 128)]))
    for bits in (0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001):
        change(65, "element 5 is not finite", hex(bits), lambda t: t.__setitem__(
            a, ["F32", [4, 32], bytes(20) + struct.pack("<I", bits) + bytes(4 * 122)]))
    change(65, "element 127 is not finite", "infinite in bf16", lambda t: t.__setitem__(
        a, ["BF16", [4, 32], bytes(254) + b"\x80\x7f"]))

    def narrow(t):
        for k, v in t.items():
            if "layers.1." in k and "lora_A" in k and "down" not in k and "o_proj" not in k:
                v[1], v[2] = [4, 16], v[2][:256]
    change(65, "shape", "a layer of another width", narrow)
    config, tensors = read("lora")
    config["r"] = 17
    for name, v in tensors.items():
        v[1] = [17, v[1][1]] if "lora_A" in name else [v[1][0], 17]
        v[2] = bytes(4 * v[1][0] * v[1][1])
    case(65, "r: 17, but k_proj is 16 by 32", "a rank over a side", config, tensors)


def uneven():
    """Other matrices in one layer than in the other."""
    config, tensors = read("rslora")
    name = "base_model.model.model.layers.1.self_attn.v_proj"
    for part in ("lora_A", "lora_B"):
        del tensors[f"{name}.{part}.weight"]
    config["target_modules"] = ["model.layers.0.self_attn.q_proj", "layers.0.self_attn.v_proj",
                                "layers.1.self_attn.q_proj"]
    case(65, "alike", "v in layer 0 only", config, tensors)


def other_methods():
    a = "base_model.model.model.layers.1.mlp.up_proj.lora_magnitude_vector"
    key("dora", 0, "", "lora_dropout", 0.05)
    key("dora", 65, "no tensor of this method", "use_dora", False)
    for what, change in [("missing", lambda t: t.pop(a)),
                         ("shape", lambda t: t[a].__setitem__(1, [64, 1])),
                         ("shape", lambda t: t[a].__setitem__(1, [1, 64]))]:
        config, tensors = read("dora")
        change(tensors)
        case(65, a, "dora: magnitude: " + what, config, tensors)
    key("lora", 65, "lora_magnitude_vector: missing", "use_dora", True)
    for name, value in [("feedforward_modules", DROP), ("feedforward_modules", "down_proj"),
                        ("feedforward_modules", []), ("feedforward_modules", ["v_proj"]),
                        ("target_modules", ["k_proj", "v_proj"]), ("target_modules", None),
                        ("fan_in_fan_out", True), ("modules_to_save", ["lm_head"]),
                        ("exclude_modules", ["x"])]:
        key("ia3", 65, "shape" if value in ([], ["v_proj"]) else
            name if value != ["k_proj", "v_proj"] else "target_modules does not name", name, value)
    key("ia3", 0, "", "init_ia3_weights", False)
    key("ia3", 0, "", "feedforward_modules", ["mlp.down_proj", "q_proj"])
    config, tensors = read("ia3")
    config["feedforward_modules"] = ["v_proj", "down_proj"]
    for k, v in tensors.items():
        if "v_proj" in k:
            v[1], v[2] = [1, 32], bytes(128)
    case(65, "feedforward_modules", "ia3: inputs of v", config, tensors)
    for base in ("prefix", "prompt"):
        for name, value in [("num_virtual_tokens", 0), ("num_virtual_tokens", None),
                            ("num_virtual_tokens", 2 ** 20), ("token_dim", "16"),
                            ("num_transformer_submodules", 2), ("modules_to_save", ["lm_head"]),
                            ("num_layers", 0), ("num_layers", DROP), ("task_type", "SEQ_2_SEQ_LM")]:
            key(base, 65, "shape" if value == 2 ** 20 else name, name, value)
        key(base, 65, "shape", "num_virtual_tokens", 3)
        key(base, 65, "shape", "token_dim", 8)
        key(base, 0, "", "num_transformer_submodules", None)
        key(base, 0, "", "token_dim", DROP)
        key(base, 0, "", "num_attention_heads", None)
        config, tensors = read(base)
        tensors["prompt_embeddings"][1].reverse()
        case(65, "shape", base + ": turned", config, tensors)
        tensors["prompt_embeddings"][1].reverse()
        tensors["more"] = tensors["prompt_embeddings"]
        case(65, "more", base + ": another tensor", config, tensors)
        case(65, "prompt_embeddings: missing", base + ": none", config, {})
    key("prefix", 65, "shape", "num_layers", 3)
    key("prefix", 65, "num_attention_heads", "num_attention_heads", 3)
    key("prefix", 0, "", "prefix_projection", True)
    key("prefix", 0, "", "encoder_hidden_size", 999)
    key("prompt", 0, "", "prompt_tuning_init", "TEXT")
    key("prompt", 0, "", "prompt_tuning_init_text", "Answer:")


lora_keys()
files()
tensors_of_lora()
uneven()
other_methods()
