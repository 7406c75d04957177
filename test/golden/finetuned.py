"""Models that the command line has just trained, opened by transformers and onnxruntime: test/golden/finetuned.json.

A tiny BERT learns each kind of task for a few steps (`bertgrad finetune`) and
is exported both ways. transformers reads the folder with its own tokenizer and must answer as `bertgrad predict` does;
onnxruntime must answer as transformers. The largest differences are written down.

npm run build:ts && python3 test/golden/finetuned.py     (torch, transformers, onnx, onnxruntime)
"""
import json
import os
import random
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
KINDS = dict(classify="SequenceClassification", pair="SequenceClassification", regress="SequenceClassification",
             tag="TokenClassification", qa="QuestionAnswering", choice="MultipleChoice")
NOUNS, VERBS = ["cat", "dog", "cats", "dogs"], ["sat", "ran", "running"]
DRAW = random.Random(5)


def cli(*words, text=None):
    done = subprocess.run(["node", CLI, *words], input=text, capture_output=True, text=True)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout


def example(kind):
    noun, verb = DRAW.choice(NOUNS), DRAW.choice(VERBS)
    text = f"{DRAW.choice(['the', 'a', 'The'])} {noun} {verb}{DRAW.choice(['', ' .', ', 中文'])}"
    if kind == "classify":
        return dict(text=text, label=noun[:3])
    if kind == "regress":
        return dict(text=text, label=len(text) / 10)
    if kind == "pair":
        other = DRAW.choice(NOUNS)
        return dict(text=text, text_pair=f"the {other} ran", label="same" if other[:3] == noun[:3] else "other")
    if kind == "tag":
        words = text.replace(",", " ,").split()
        return dict(words=words, tags=["B-ANIMAL" if w == noun else "O" for w in words])
    if kind == "qa":
        return dict(question=f"the {verb}", context=text, answer=noun, answer_start=text.index(noun))
    choices = [DRAW.choice(VERBS), f"{noun} {verb}", "é"]
    return dict(question=text, choices=choices, label=1)


def squad(rows):
    asked = [dict(context=r["context"], qas=[dict(id=str(i), question=r["question"], answers=[
        dict(text=r["answer"], answer_start=r["answer_start"])])]) for i, r in enumerate(rows)]
    return json.dumps(dict(version="1.1", data=[dict(title="t", paragraphs=asked)]))


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def asked_of(kind, row):
    """The arguments of transformers' tokenizer."""
    if kind == "choice":
        return [row["question"]] * len(row["choices"]), row["choices"]
    if kind == "qa":
        return row["question"], row["context"]
    if kind == "tag":
        return (row["words"],)
    return (row["text"], row["text_pair"]) if kind == "pair" else (row["text"],)


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def disagreement(kind, said, logits, batch, labels):
    """How far an answer of `predict` is from what transformers' logits say; 1 for another tag or place."""
    if kind in ("classify", "pair"):
        want = softmax(logits["logits"][0])
        return max(abs(said["scores"][name] - want[i]) for i, name in labels.items())
    if kind == "regress":
        return abs(said["value"] - logits["logits"].item())
    if kind == "choice":
        return np.abs(np.array(said["scores"]) - softmax(logits["logits"][0])).max()
    if kind == "tag":
        words = batch.word_ids(0)
        first = [i for i, word in enumerate(words) if word is not None and words[i - 1] != word]
        return float(said["tags"] != [labels[logits["logits"][0, i].argmax()] for i in first])
    inside = [i for i, part in enumerate(batch.sequence_ids(0)) if part == 1]
    start, end = logits["start_logits"][0], logits["end_logits"][0]
    score, a, b = max((start[a] + end[b], a, b) for a in inside for b in inside if a <= b < a + 30)
    places = [batch.token_to_chars(0, i) for i in (a, b)]
    return float((said["start"], said["end"]) != (places[0].start, places[1].end))


def check(kind, folder):
    train, run = os.path.join(folder, "train"), os.path.join(folder, "run")
    rows = [example(kind) for _ in range(64)]
    train += ".json" if kind == "qa" else ".jsonl"
    with open(train, "w") as f:
        f.write(squad(rows) if kind == "qa" else lines(rows))
    base = os.path.join(folder, "base")
    shutil.copytree(os.path.join(GOLDEN, "BertModel"), base)
    cli("finetune", kind, base, "--train", train, "--dev", train, "-o", run, "--epochs", "2", "--batch", "8", "--lr", "0.01",
        "--max-seq", "16")
    hf, ort = os.path.join(folder, "hf"), os.path.join(folder, "onnx")
    cli("export", run, "-o", hf)
    cli("export", run, "-o", ort, "--to", "onnx")
    hidden = ("label", "tags", "answer", "answer_start")
    given = [{k: v for k, v in row.items() if k not in hidden} for row in rows]
    said = [json.loads(line) for line in cli("predict", run, text=lines(given)).splitlines()]
    assert len(said) == len(rows)

    kind_of_model = getattr(transformers, f"BertFor{KINDS[kind]}")
    model, info = kind_of_model.from_pretrained(hf, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    tokenizer = transformers.AutoTokenizer.from_pretrained(hf)
    path = os.path.join(ort, "onnx", "model.onnx")
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path)
    worst = dict(transformers=0.0, onnxruntime=0.0)
    for row, answer in zip(rows, said):
        batch = tokenizer(*asked_of(kind, row), return_tensors="np", padding=True, is_split_into_words=kind == "tag")
        feeds = {k: np.asarray(v, dtype=np.int64)[None] if kind == "choice" else np.asarray(v, dtype=np.int64)
                 for k, v in batch.items()}
        with torch.no_grad():
            out = model.eval()(**{k: torch.tensor(v) for k, v in feeds.items()})
        logits = {k: v.numpy() for k, v in out.items()}
        found = dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds)))
        worst["transformers"] = max(worst["transformers"], float(
            disagreement(kind, answer, logits, batch, model.config.id2label)))
        worst["onnxruntime"] = max(worst["onnxruntime"], *(float(np.abs(found[k] - v).max()) for k, v in logits.items()))
    return worst


def main():
    results = {}
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            results[kind] = check(kind, folder)
            print(kind, results[kind], flush=True)
    versions = {m.__name__: m.__version__.split("+")[0] for m in (torch, transformers, onnx, onnxruntime)}
    with open(os.path.join(HERE, "finetuned.json"), "w") as f:
        json.dump(dict(versions=versions, results=results), f, indent=1)
        f.write("\n")


main()
