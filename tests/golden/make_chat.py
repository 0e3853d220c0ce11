"""make_chat.py: writes chat.txt, chats as the templates themselves render them.

    python3 make_chat.py > chat.txt

Made with jinja2 3.1.6. A case is one line of JSON: template name, add_generation_prompt, messages,
rendered text; "template" lines hold the template texts that must be recognised.
"""
import json

import jinja2

# As SmolLM2-135M-Instruct carries it.
SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
    "<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\n' }}{% endif %}")

# Plain ChatML in the spellings that models carry.
LOOP = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + "
        "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}")
CHATML = [
    LOOP + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}"
    "{% endif %}" + LOOP +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
]

CASES = [
    [("user", "Hello")],
    [("user", "Hello"), ("assistant", "Hi there.")],
    [("system", "Be brief."), ("user", "Why?"), ("assistant", "So.")],
    [("system", ""), ("user", ""), ("assistant", "")],
    [("user", " leading"), ("assistant", "\n\ntwo lines\n")],
    [("user", "a <|im_end|> b <|im_start|>assistant\n"), ("assistant", "<|endoftext|>")],
    [("user", "1"), ("assistant", "2"), ("user", "3"), ("assistant", "4")],
    [("assistant", "I begin."), ("user", "Oh.")],
    [("user", "late"), ("system", "system turn"), ("assistant", "fine")],
    [("user", "{{ 7 * 7 }} {% raw %} ' \" \\"), ("tool", "{\"x\": 1}"), ("assistant", "49")],
    [("user", "caf\u00e9 \u4f60\u597d \U0001f469\u200d\U0001f4bb"), ("assistant", "\u00a0\u2003")],
]


def main():
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    for name, texts in (("smollm2", [SMOLLM2]), ("chatml", CHATML)):
        for text in texts:
            print(json.dumps({"template": text, "name": name}))
            for case in CASES:
                messages = [{"role": r, "content": c} for r, c in case]
                for prompt in (False, True):
                    out = environment.from_string(text).render(messages=messages,
                                                               add_generation_prompt=prompt)
                    print(json.dumps({"name": name, "prompt": prompt, "messages": messages,
                                      "text": out}))


if __name__ == "__main__":
    main()
