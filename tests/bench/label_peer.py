"""What label_bench.sh compares with: label_peer.py IN.jsonl OUT.jsonl

Hashed words, pairs and runs of 3 to 5 characters, tf-idf, logistic regression by stochastic
gradients in 5 folds by group (scikit-learn), cleanlab's default on the probabilities. Prints the
rows found from 1; writes the records with their probabilities; says the times on standard error.
"""
import json
import sys
import time

import numpy as np
from cleanlab.filter import find_label_issues
from scipy.sparse import hstack
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GroupKFold, cross_val_predict

records = [json.loads(line) for line in open(sys.argv[1])]
start = time.time()
texts = ["\n".join(m["content"] for m in r["messages"]) for r in records]
names, labels = np.unique([r["label"] for r in records], return_inverse=True)
groups = np.unique([r["group"] for r in records], return_inverse=True)[1]
options = {"n_features": 1 << 20, "alternate_sign": False, "norm": None}
words = HashingVectorizer(ngram_range=(1, 2), **options).transform(texts)
runs = HashingVectorizer(analyzer="char", ngram_range=(3, 5), **options).transform(texts)
x = TfidfTransformer(sublinear_tf=True).fit_transform(hstack([words, runs]).tocsr())
vectors = time.time()
model = SGDClassifier(loss="log_loss", alpha=3e-6, max_iter=5, tol=None, random_state=0)
p = cross_val_predict(model, x, labels, groups=groups, cv=GroupKFold(5), method="predict_proba",
                      n_jobs=1)
trained = time.time()
found = find_label_issues(labels, p, return_indices_ranked_by="self_confidence", n_jobs=1)
end = time.time()
accuracy = (p.argmax(axis=1) == labels).mean()
print(f"vectors {vectors - start:.1f}, folds {trained - vectors:.1f}, cleanlab "
      f"{end - trained:.2f} s; accuracy {accuracy:.4f}", file=sys.stderr)
for row in found:
    print(row + 1)
with open(sys.argv[2], "w") as out:
    for r, row in zip(records, p):
        out.write(json.dumps({"text": "", "label": r["label"],
                              "probs": dict(zip(names.tolist(), row.tolist()))}) + "\n")
