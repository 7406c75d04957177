"""Golden values of a 2-layer BERT, from transformers' BertForPreTraining on PyTorch's CPU in float32.

  python3 test/golden/bert.py      (pip install torch transformers safetensors)

Writes beside itself
  bert.safetensors  weights, a padded batch, hidden states, logits, losses, the gradient of every parameter
  bert.json         the configuration and the batch; the losses of 20 training steps (AdamW with decay exclusions,
                    warm-up and linear decay, clipping by the global norm, no dropout)
"""
import json
import os

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertForPreTraining, get_linear_schedule_with_warmup

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS, BATCHES, BATCH, SEQ, VOCAB = 20, 4, 4, 11, 48
LR, WARMUP = 1e-3, 4


def make_batch(generator):
    """Sequences of uneven length, two segments, 1 to 3 masked places each, a sentence label each."""
    lengths = torch.randint(5, SEQ + 1, (BATCH,), generator=generator)
    lengths[0] = SEQ
    ids = torch.randint(5, VOCAB, (BATCH, SEQ), generator=generator)
    types = torch.zeros(BATCH, SEQ, dtype=torch.long)
    labels = torch.full((BATCH, SEQ), -100)
    for row, length in enumerate(lengths.tolist()):
        ids[row, length:] = 0
        types[row, length // 2:length] = 1
        count = int(torch.randint(1, 4, (1,), generator=generator))
        for place in torch.randperm(length, generator=generator)[:count].tolist():
            labels[row, place] = ids[row, place]
            ids[row, place] = 4
    attention = (torch.arange(SEQ)[None, :] < lengths[:, None]).long()
    sentence = torch.randint(0, 2, (BATCH,), generator=generator)
    return dict(input_ids=ids, token_type_ids=types, attention_mask=attention, labels=labels,
                next_sentence_label=sentence)


def plain(batch):
    masked = [(i, v) for i, v in enumerate(batch["labels"].flatten().tolist()) if v >= 0]
    return dict(batch=BATCH, seq=SEQ, inputIds=batch["input_ids"].flatten().tolist(),
                tokenTypeIds=batch["token_type_ids"].flatten().tolist(),
                lengths=batch["attention_mask"].sum(1).tolist(), maskedPositions=[i for i, _ in masked],
                maskedLabels=[v for _, v in masked], sentenceLabels=batch["next_sentence_label"].tolist())


def losses_of(model, batch):
    out = model(**batch, output_hidden_states=True)
    flat = batch["labels"].flatten()
    mlm = torch.nn.functional.cross_entropy(out.prediction_logits.flatten(0, 1), flat, ignore_index=-100)
    nsp = torch.nn.functional.cross_entropy(out.seq_relationship_logits, batch["next_sentence_label"])
    assert torch.allclose(out.loss, mlm + nsp)
    return out, mlm, nsp


def main():
    torch.manual_seed(20)
    config = BertConfig(vocab_size=VOCAB, hidden_size=16, num_hidden_layers=2, num_attention_heads=4,
                        intermediate_size=32, max_position_embeddings=SEQ + 1, hidden_dropout_prob=0.0,
                        attention_probs_dropout_prob=0.0, layer_norm_eps=1e-12, initializer_range=0.02)
    config._attn_implementation = "eager"
    model = BertForPreTraining(config).float()
    with torch.no_grad():  # larger than BERT's own, so that nothing is near 0 or alike
        for name, p in model.named_parameters():
            p.copy_(torch.randn_like(p) * 0.3 + (1.0 if name.endswith("LayerNorm.weight") else 0.0))
    model.train()
    generator = torch.Generator().manual_seed(7)
    batches = [make_batch(generator) for _ in range(BATCHES)]
    tensors = {f"weight.{n}": p.detach().clone() for n, p in model.named_parameters()}

    out, mlm, nsp = losses_of(model, batches[0])
    (mlm + nsp).backward()
    for i, hidden in enumerate(out.hidden_states):
        tensors[f"hidden.{i}"] = hidden.detach().clone()
    tensors["mlm_logits"] = out.prediction_logits.detach()[batches[0]["labels"] >= 0].clone()
    tensors["nsp_logits"] = out.seq_relationship_logits.detach().clone()
    for name, p in model.named_parameters():
        tensors[f"grad.{name}"] = p.grad.clone()

    decayed = [p for n, p in model.named_parameters() if not n.endswith("bias") and "LayerNorm" not in n]
    rest = [p for n, p in model.named_parameters() if n.endswith("bias") or "LayerNorm" in n]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=LR, eps=1e-6)
    schedule = get_linear_schedule_with_warmup(optimizer, WARMUP, STEPS)
    losses, norms = [], []
    for step in range(STEPS):
        optimizer.zero_grad()
        _, mlm_loss, nsp_loss = losses_of(model, batches[step % BATCHES])
        (mlm_loss + nsp_loss).backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)))
        optimizer.step()
        schedule.step()
        losses.append([mlm_loss.item(), nsp_loss.item()])

    save_file({k: v.contiguous() for k, v in tensors.items()}, os.path.join(HERE, "bert.safetensors"))
    keys = ["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",
            "hidden_dropout_prob", "attention_probs_dropout_prob", "max_position_embeddings", "type_vocab_size",
            "layer_norm_eps"]
    golden = dict(versions={"torch": torch.__version__.split("+")[0], "transformers": __import__("transformers").__version__},
                  config={k: getattr(config, k) for k in keys}, batches=[plain(b) for b in batches],
                  mlmLoss=float(mlm), nspLoss=float(nsp), lr=LR, warmup=WARMUP, losses=losses, gradNorms=norms)
    with open(os.path.join(HERE, "bert.json"), "w") as f:
        json.dump(golden, f, indent=1)
        f.write("\n")


main()
