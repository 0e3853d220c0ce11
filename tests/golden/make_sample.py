"""make_sample.py: writes sample.txt, what the logits processors of transformers leave of logits.

    python3 make_sample.py > sample.txt

Made with torch 2.15.0 and transformers 5.23.0. Logits are ((x >> 8) / 2^24 - 0.5) * SPREAD of the
numbers x of an integer hash that the C test has too, so that none are equal. Lines:
    case NUMBER V SPREAD TEMPERATURE TOP_K TOP_P MIN_P PENALTY N_SEEN seen-ids... N_KEPT id p id p ...
0 for top-k, 1 for top-p, 0 for min-p and 1 for the penalty mean that there is no such processor.
Candidates are sorted by id; p is in double from the processed scores, which are floats.
"""
import torch
from transformers import (LogitsProcessorList, MinPLogitsWarper,
                          RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper,
                          TopKLogitsWarper, TopPLogitsWarper)


def hash32(x):
    x = x * 2654435761 & 0xFFFFFFFF
    x ^= x >> 15
    x = x * 2246822519 & 0xFFFFFFFF
    return x ^ x >> 13


def logits(case, v, spread):
    return torch.tensor([[((hash32(i + 1000 * case) >> 8) / 2**24 - 0.5) * spread
                          for i in range(v)]], dtype=torch.float64).float()


def run(case, v, spread, t, k, p, m, penalty, seen):
    steps = LogitsProcessorList()
    if penalty != 1:
        steps.append(RepetitionPenaltyLogitsProcessor(penalty))
    if t != 1:
        steps.append(TemperatureLogitsWarper(t))
    if k:
        steps.append(TopKLogitsWarper(k))
    if p < 1:
        steps.append(TopPLogitsWarper(p))
    if m:
        steps.append(MinPLogitsWarper(m))
    x = logits(case, v, spread)
    assert len(set(x[0].tolist())) == v, case
    out = steps(torch.tensor([seen], dtype=torch.long), x)[0].double()
    probabilities = torch.softmax(out, 0)
    kept = [i for i in range(v) if out[i] > -float("inf")]
    print("case", case, v, spread, t, k, p, m, penalty, len(seen), *seen, len(kept),
          *(f"{i} {probabilities[i]:.9g}" for i in kept))


def main():
    case = 0
    for v, spread in ((7, 3.0), (200, 12.0)):
        seen = [1, 5, 1, v - 1]
        for t in (1.0, 0.6, 2.5):
            run(case := case + 1, v, spread, t, 0, 1.0, 0.0, 1.0, seen)
            run(case := case + 1, v, spread, t, 3, 1.0, 0.0, 1.0, seen)
            run(case := case + 1, v, spread, t, 0, 0.9, 0.0, 1.0, seen)
            run(case := case + 1, v, spread, t, 0, 0.01, 0.0, 1.0, seen)
            run(case := case + 1, v, spread, t, 0, 1.0, 0.1, 1.0, seen)
            run(case := case + 1, v, spread, t, 0, 1.0, 0.0, 1.4, seen)
            run(case := case + 1, v, spread, t, 5, 0.8, 0.2, 0.7, seen)
            run(case := case + 1, v, spread, t, 40, 0.95, 0.05, 1.3, seen)
            run(case := case + 1, v, spread, t, 1, 0.5, 1.0, 1.3, seen)


if __name__ == "__main__":
    main()
