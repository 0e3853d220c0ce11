"""make_answers.py: writes answers.txt, what transformers answers in fp32 to questions.

    python3 make_answers.py SmolLM2-135M-Instruct.Q4_1.gguf > answers.txt

Made with torch 2.15.0, transformers 5.23.0, gguf 0.19.0 and tokenizers. The weights are those of the
file, dequantised. Lines, as in generate.txt:
    answer N_PROMPT N_ANSWER prompt-ids... answer-ids... gaps...
Answers are greedy and go on behind the end of a turn; a gap is the distance of the two best logits.
"""
import sys

import torch

from make_generate import chat, real

WHAT = ["a linker", "a compiler", "a kernel", "a shell", "a pipe", "a socket", "a thread", "a cache",
        "a checksum", "a library"]
ASK = ["What is {}?", "Explain {} to a child.", "Name one program that needs {}.",
       "Write a sentence about {}.", "Why would I use {} and not {}?"]
N_ANSWER = 16


@torch.no_grad()
def main():
    model = real(sys.argv[1])
    for ask in ASK:
        for i, what in enumerate(WHAT):
            prompt = chat(ask.format(what, WHAT[(i + 3) % len(WHAT)]))
            ids, gaps, past = list(prompt), [], None
            for _ in range(N_ANSWER):
                out = model(torch.tensor([ids if past is None else ids[-1:]]),
                            past_key_values=past, use_cache=True)
                past = out.past_key_values
                best = torch.topk(out.logits[0, -1].double(), 2)
                gaps.append(float(best.values[0] - best.values[1]))
                ids.append(int(best.indices[0]))
            print("answer", len(prompt), N_ANSWER, *ids, *(f"{g:.4g}" for g in gaps))


if __name__ == "__main__":
    main()
