"""All hidden states of all-MiniLM-L6-v2 on the texts of minilm.json, number by number: test/golden/minilm-whole.json.

minilm.safetensors holds a sample of them, small enough to be kept; here all of them are compared, of the empty text and of
[CLS] alone too, and only the largest differences are written down. In float64 stands what both programs round.

npm run build:ts && python3 test/golden/minilm-whole.py FOLDER     (torch, transformers, sentence-transformers, safetensors)
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import sentence_transformers
import torch
import transformers
from safetensors.numpy import load_file

HERE = os.path.dirname(os.path.abspath(__file__))


def answer(model, ids):
    x = torch.tensor(ids.astype(np.int64))[None]
    with torch.no_grad():
        out = model(input_ids=x, attention_mask=torch.ones_like(x), token_type_ids=x * 0, output_hidden_states=True)
    return np.stack([h[0].numpy() for h in out.hidden_states]), out.pooler_output[0].numpy()


def main():
    folder = sys.argv[1]
    with tempfile.TemporaryDirectory() as temporary:
        path = os.path.join(temporary, "ours.safetensors")
        subprocess.run(["node", os.path.join(HERE, "minilm-whole.mjs"), folder, path], check=True, stderr=subprocess.DEVNULL)
        ours = load_file(path)
    texts = [""] + json.load(open(os.path.join(HERE, "minilm.json")))["texts"]
    model = sentence_transformers.SentenceTransformer(folder, device="cpu", model_kwargs={"attn_implementation": "eager"})
    model.max_seq_length = 512
    bert = model[0].auto_model.eval()
    exact = transformers.BertModel.from_pretrained(folder, attn_implementation="eager").double().eval()
    worst = dict(hidden=0.0, pooled=0.0, hidden_to_float64=0.0, torch_to_float64=0.0)
    lengths = []
    for i in range(len(texts) + 1):
        ids = ours[f"ids.{i}"]
        if i < len(texts):
            assert model.tokenizer(texts[i], truncation=True, max_length=512)["input_ids"] == ids.tolist(), texts[i]
        hidden, pooled = answer(bert, ids)
        best, _ = answer(exact, ids)
        found = dict(hidden=(ours[f"hidden.{i}"], hidden), pooled=(ours[f"pooled.{i}"], pooled),
                     hidden_to_float64=(ours[f"hidden.{i}"], best), torch_to_float64=(hidden, best))
        for key, (a, b) in found.items():
            worst[key] = max(worst[key], float(np.abs(a - b).max()))
        lengths.append(len(ids))
    alone = np.stack([model.encode([text])[0] for text in texts])
    padded = model.encode(texts, batch_size=32)
    worst["embeddings_alone"] = float(np.abs(alone - ours["embeddings"]).max())
    worst["embeddings_padded"] = float(np.abs(padded - ours["embeddings"]).max())
    versions = {m.__name__: m.__version__.split("+")[0] for m in (torch, transformers, sentence_transformers)}
    golden = dict(versions=versions, sequences=len(lengths), tokens=sum(lengths), shortest=min(lengths),
                  longest=max(lengths), largest=worst)
    print(json.dumps(golden))
    with open(os.path.join(HERE, "minilm-whole.json"), "w") as f:
        json.dump(golden, f, indent=1)
        f.write("\n")


main()
