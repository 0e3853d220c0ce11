#!/bin/sh
# peers.sh: installs the Python programs that ft is compared with into build/peers/python, at the
# versions that the golden files were made with. Needs a network once, and some 6 GB with torch.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${FT_PEERS:-$root/build/peers}/python
[ ! -f "$python/complete" ] || exit 0
/usr/bin/python3 -m venv "$python"
"$python/bin/pip" install -q --disable-pip-version-check tokenizers==0.23.3 torch==2.15.0 \
    transformers==5.23.0 peft==0.21.2 gguf==0.19.0 bitsandbytes==0.50.*
"$python/bin/pip" install -q --disable-pip-version-check datasketch==2.0.* rensa==0.5.* \
    cleanlab==2.9.* tiktoken==0.14.* sacrebleu==2.6.0 rouge-score==0.1.2 \
    datatrove==0.10.1 spacy==3.8.18 nltk==3.10.4
touch "$python/complete"
