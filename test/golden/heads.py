"""Golden values of a 1-layer BERT under each head, from transformers on PyTorch's CPU in float32.

  python3 test/golden/heads.py      (pip install torch transformers safetensors)

Writes beside itself
  heads.safetensors  weights; for each head: logits, and the gradient of every parameter
  heads.json         the configuration, a batch, and for each head: labels and loss
"""
import json
import os

import torch
from safetensors.torch import save_file
import transformers as T

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH, SEQ, VOCAB, CHOICES = 6, 9, 40, 3
CONFIG = dict(vocab_size=VOCAB, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
              max_position_embeddings=SEQ + 1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
WEIGHTS = [0.5, 2.0, 1.25]


def make_batch(full):
    generator = torch.Generator().manual_seed(11)
    lengths = torch.randint(4, SEQ + 1, (BATCH,), generator=generator)
    lengths[0] = SEQ
    if full:
        lengths[:] = SEQ
    ids = torch.randint(5, VOCAB, (BATCH, SEQ), generator=generator)
    types = torch.zeros(BATCH, SEQ, dtype=torch.long)
    for row, length in enumerate(lengths.tolist()):
        ids[row, length:] = 0
        types[row, length // 2:length] = 1
    attention = (torch.arange(SEQ)[None, :] < lengths[:, None]).long()
    return dict(input_ids=ids, token_type_ids=types, attention_mask=attention)


def plain(batch):
    return dict(batch=BATCH, seq=SEQ, inputIds=batch["input_ids"].flatten().tolist(),
                tokenTypeIds=batch["token_type_ids"].flatten().tolist(),
                lengths=batch["attention_mask"].sum(1).tolist())


def heads(batch):
    """Name, class, changes of the configuration, arguments with the labels."""
    generator = torch.Generator().manual_seed(5)
    draw = lambda high, shape: torch.randint(0, high, shape, generator=generator)
    inside = batch["attention_mask"].bool()
    tags = draw(4, (BATCH, SEQ)).masked_fill(~inside, -100)
    tags[:, 0] = -100
    masked = draw(VOCAB, (BATCH, SEQ)).masked_fill(~(inside & (draw(3, (BATCH, SEQ)) == 0)), -100)
    sequence = T.BertForSequenceClassification
    return [
        ("single", sequence, dict(num_labels=3), dict(labels=draw(3, (BATCH,)))),
        ("regression", sequence, dict(num_labels=1), dict(labels=torch.randn(BATCH, generator=generator))),
        ("regressions", sequence, dict(num_labels=2, problem_type="regression"),
         dict(labels=torch.randn(BATCH, 2, generator=generator))),
        ("multi", sequence, dict(num_labels=3, problem_type="multi_label_classification"),
         dict(labels=draw(2, (BATCH, 3)).float())),
        ("tokens", T.BertForTokenClassification, dict(num_labels=4), dict(labels=tags)),
        ("span", T.BertForQuestionAnswering, dict(),
         dict(start_positions=draw(SEQ, (BATCH,)), end_positions=draw(SEQ, (BATCH,)))),
        ("choice", T.BertForMultipleChoice, dict(), dict(labels=draw(CHOICES, (BATCH // CHOICES,)))),
        ("mlm", T.BertForMaskedLM, dict(), dict(labels=masked)),
        ("nsp", T.BertForNextSentencePrediction, dict(), dict(labels=draw(2, (BATCH,)))),
    ]


def main():
    shared, tensors, cases = {}, {}, {}
    generator = torch.Generator().manual_seed(3)

    def weight(name, shape):  # larger than BERT's own, so that nothing is near 0 or alike; the encoder is shared
        if name not in shared:
            shared[name] = torch.randn(shape, generator=generator) * 0.3 + (1.0 if name.endswith("LayerNorm.weight") else 0.0)
        return shared[name]

    padded, full = make_batch(False), make_batch(True)
    for name, kind, changes, labels in heads(padded):
        config = T.BertConfig(**CONFIG, **changes)
        config._attn_implementation = "eager"
        model = kind(config).float().train()
        with torch.no_grad():
            for key, p in model.named_parameters():
                value = weight(key if key.startswith(("bert.", "cls.")) else f"{name}/{key}", p.shape)
                tensors[f"weight.{key}" if key.startswith(("bert.", "cls.")) else f"{name}.weight.{key}"] = value
                p.copy_(value)
        batch = full if name == "span" else padded
        given = batch if name != "choice" else {k: v.view(BATCH // CHOICES, CHOICES, SEQ) for k, v in batch.items()}
        out = model(**given, **labels)
        out.loss.backward()
        if name == "span":
            logits = torch.cat([out.start_logits, out.end_logits])
        elif name == "mlm":
            logits = out.logits[labels["labels"] >= 0]
        else:
            logits = out.logits
        tensors[f"{name}.logits"] = logits.detach().clone()
        for key, p in model.named_parameters():
            tensors[f"{name}.grad.{key}"] = p.grad.clone()
        cases[name] = dict(loss=float(out.loss.detach()), numLabels=config.num_labels, problemType=changes.get("problem_type"),
                           labels={k: v.flatten().tolist() for k, v in labels.items()})
        if name == "single":
            weighted = torch.nn.CrossEntropyLoss(weight=torch.tensor(WEIGHTS))
            cases[name]["weightedLoss"] = float(weighted(out.logits.detach(), labels["labels"]))

    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, os.path.join(HERE, "heads.safetensors"))
    golden = dict(versions={"torch": torch.__version__.split("+")[0], "transformers": T.__version__}, config=CONFIG,
                  classWeights=WEIGHTS, choices=CHOICES, padded=plain(padded), full=plain(full), cases=cases)
    with open(os.path.join(HERE, "heads.json"), "w") as f:
        json.dump(golden, f, indent=1)
        f.write("\n")


main()
