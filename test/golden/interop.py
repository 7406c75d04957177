"""Tiny BERTs with every head as transformers saves them, and what they answer: test/golden/interop/.

A folder per head (config.json, model.safetensors), `outputs.json` with inputs and outputs, and the masked-word model once
more in other forms: half precision, several files, and pytorch_model.bin of torch 1.6 and later and of before.

python3 test/golden/interop.py     (torch, transformers, safetensors)
"""
import json
import os
import shutil

import torch
import transformers
from safetensors.torch import save_file
from transformers import BertConfig

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "interop")
HEADS = ["BertModel", "BertForPreTraining", "BertForMaskedLM", "BertForNextSentencePrediction",
         "BertForSequenceClassification", "BertForTokenClassification", "BertForQuestionAnswering",
         "BertForMultipleChoice"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "a", "cat", "dog", "sat", "ran", "##s", "##ning", "run",
         ".", ",", "中", "文", "é", "e"]
SIZES = dict(vocab_size=len(WORDS), hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20,
             max_position_embeddings=16)
IDS = [[2, 5, 7, 9, 14, 3, 6, 8, 10, 3], [2, 4, 8, 3, 0, 0, 0, 0, 0, 0], [2, 16, 17, 3, 5, 3, 0, 0, 0, 0]]
TYPES = [[0, 0, 0, 0, 0, 0, 1, 1, 1, 1], [0] * 10, [0, 0, 0, 0, 1, 1, 0, 0, 0, 0]]
MASK = [[int(i != 0) for i in row] for row in IDS]


def make(name, **changes):
    torch.manual_seed(sum(map(ord, name)))
    labels = dict(num_labels=3) if name in ("BertForSequenceClassification", "BertForTokenClassification") else {}
    model = getattr(transformers, name)(BertConfig(**SIZES, **labels, **changes))
    with torch.no_grad():  # away from zero biases and unit scales, which hide mistakes
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def answer(name, model):
    ids, types, mask = (torch.tensor(x) for x in (IDS, TYPES, MASK))
    if name == "BertForMultipleChoice":
        ids, types, mask = (x.reshape(1, 3, 10) for x in (ids, types, mask))
    with torch.no_grad():
        out = model(input_ids=ids, token_type_ids=types, attention_mask=mask)
    return {k: dict(shape=list(v.shape), data=[float(f"{x:.9g}") for x in v.flatten().tolist()]) for k, v in out.items()}


def save(folder, model, **options):
    model.save_pretrained(os.path.join(OUT, folder), **options)
    generation = os.path.join(OUT, folder, "generation_config.json")
    if os.path.exists(generation):
        os.remove(generation)


def main():
    for folder in os.listdir(OUT):  # but what TensorFlow wrote: google-checkpoint.py
        if folder != "google" and os.path.isdir(os.path.join(OUT, folder)):
            shutil.rmtree(os.path.join(OUT, folder))
    outputs = {}
    for name in HEADS:
        model = make(name)
        save(name, model)
        outputs[name] = answer(name, model)
    untied = make("BertForMaskedLM", tie_word_embeddings=False)
    with torch.no_grad():
        untied.cls.predictions.decoder.weight.add_(0.3)
    save("untied", untied)
    outputs["untied"] = answer("BertForMaskedLM", untied)

    model = make("BertForMaskedLM")
    save("shards", model, max_shard_size="2KB")
    for dtype in ("float16", "bfloat16"):
        half = make("BertForMaskedLM").to(getattr(torch, dtype))
        save(dtype, half)
        outputs[dtype] = answer("BertForMaskedLM", half.float())
    state = model.state_dict()
    state["bert.embeddings.position_ids"] = torch.arange(16).reshape(1, 16)
    # A view that is not contiguous, and a parameter: both occur in the wild.
    state["bert.pooler.dense.weight"] = torch.nn.Parameter(torch.randn(12, 12).t())
    expected = {k: v.detach().clone().contiguous() for k, v in state.items()}
    for folder, new in (("torch", True), ("torch-legacy", False)):
        os.makedirs(os.path.join(OUT, folder))
        torch.save(state, os.path.join(OUT, folder, "pytorch_model.bin"), _use_new_zipfile_serialization=new)
        model.config.save_pretrained(os.path.join(OUT, folder))
    save_file(expected, os.path.join(OUT, "torch", "expected.safetensors"))

    for place in ("", "BertModel"):  # the second is the example of docs/interop.md
        with open(os.path.join(OUT, place, "vocab.txt"), "w") as f:
            f.write("".join(w + "\n" for w in WORDS))
    golden = dict(versions=dict(torch=torch.__version__.split("+")[0], transformers=transformers.__version__),
                  ids=IDS, types=TYPES, lengths=[sum(m) for m in MASK], outputs=outputs)
    with open(os.path.join(OUT, "outputs.json"), "w") as f:
        json.dump(golden, f)
        f.write("\n")


main()
