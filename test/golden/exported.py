"""Opens what bertgrad exports in transformers, onnx and onnxruntime, and compares: test/golden/exported.json.

Every model of test/golden/interop goes through `bertgrad export --to hf` and `--to onnx`. What transformers answers for
the exported folder, and onnxruntime for the exported file, is held to what transformers said of the original. The hashes
of what was checked are written down; test/interop/export.test.ts compares them with what is exported now.

npm run build:ts && python3 test/golden/exported.py     (torch, transformers, tokenizers, onnx, onnxruntime)
"""
import hashlib
import json
import os
import shutil
import subprocess
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch
import transformers

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "interop")
CLI = os.path.join(HERE, "..", "..", "dist", "cli", "main.js")
HEADS = ["BertModel", "BertForPreTraining", "BertForMaskedLM", "BertForNextSentencePrediction",
         "BertForSequenceClassification", "BertForTokenClassification", "BertForQuestionAnswering",
         "BertForMultipleChoice", "untied"]
TEXT = ["The cat sat, a DOG ran.", "running cats é 中文", "[MASK] the dog."]


def sha(path):
    return hashlib.sha256(open(path, "rb").read()).hexdigest()


def export(name, folder, form):
    source = os.path.join(folder, "source")
    shutil.copytree(os.path.join(GOLDEN, name), source, dirs_exist_ok=True)
    shutil.copy(os.path.join(GOLDEN, "vocab.txt"), source)
    out = os.path.join(folder, form)
    subprocess.run(["node", CLI, "export", source, "-o", out, "--to", form], check=True, capture_output=True)
    return out


def difference(got, want):
    want = np.array(want["data"]).reshape(want["shape"])
    return float(np.abs(np.asarray(got, dtype=np.float64).reshape(want.shape) - want).max())


def main():
    golden = json.load(open(os.path.join(GOLDEN, "outputs.json")))
    results = {}
    for name in HEADS:
        with tempfile.TemporaryDirectory() as folder:
            architecture = "BertForMaskedLM" if name == "untied" else name
            inputs = dict(input_ids=np.array(golden["ids"]), token_type_ids=np.array(golden["types"]))
            inputs["attention_mask"] = (inputs["input_ids"] != 0).astype(np.int64)
            if name == "BertForMultipleChoice":
                inputs = {k: v.reshape(1, 3, 10) for k, v in inputs.items()}
            want = golden["outputs"][name]

            hf = export(name, folder, "hf")
            model, info = getattr(transformers, architecture).from_pretrained(hf, output_loading_info=True)
            keys = {k: sorted(info[k]) for k in ("missing_keys", "unexpected_keys")}
            assert not any(keys.values()), (name, keys)
            with torch.no_grad():
                out = model.eval()(**{k: torch.tensor(v) for k, v in inputs.items()})
            slow = transformers.BertTokenizer(os.path.join(hf, "vocab.txt"))
            fast = transformers.AutoTokenizer.from_pretrained(hf)
            assert fast(TEXT)["input_ids"] == slow(TEXT)["input_ids"], name

            path = os.path.join(export(name, folder, "onnx"), "onnx", "model.onnx")
            onnx.checker.check_model(onnx.load(path), full_check=True)
            session = onnxruntime.InferenceSession(path)
            answers = dict(zip([o.name for o in session.get_outputs()], session.run(None, inputs)))
            assert sorted(answers) == sorted(want), (name, sorted(answers), sorted(want))
            # Shorter inputs, one sequence: batch and length are free.
            session.run(None, {k: v[:1, ..., :4] for k, v in inputs.items()})
            results[name] = dict(
                transformers=max(difference(out[k].numpy(), want[k]) for k in want),
                onnxruntime=max(difference(answers[k], want[k]) for k in want),
                sha256={n: sha(p) for n, p in (("config.json", os.path.join(hf, "config.json")),
                                               ("model.safetensors", os.path.join(hf, "model.safetensors")),
                                               ("tokenizer.json", os.path.join(hf, "tokenizer.json")),
                                               ("onnx/model.onnx", path))})
            print(name, results[name]["transformers"], results[name]["onnxruntime"], flush=True)
    versions = {m.__name__: m.__version__.split("+")[0] for m in (torch, transformers, onnx, onnxruntime)}
    with open(os.path.join(HERE, "exported.json"), "w") as f:
        json.dump(dict(versions=versions, results=results), f, indent=1)
        f.write("\n")


main()
