"""A BERT in plain PyTorch, measured as a whole: a pre-training step, or the encoder alone. Post-LN, exact GELU, decoder tied
to the words, dropout 0.1, logits at the masked places alone, AdamW with decay of matrices, clipping to norm 1: what
bertgrad's own step does. Told on standard input how often to run; keeps its own clock."""
import json
import math
import resource
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

CONFIGS = {"tiny": (2, 128), "mini": (4, 256), "small": (4, 512), "medium": (8, 512), "base": (12, 768)}


class Layer(nn.Module):
    def __init__(self, width, dropout):
        super().__init__()
        self.heads, self.dropout = width // 64, dropout
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-12), nn.LayerNorm(width, 1e-12)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.drop = nn.Dropout(dropout)

    def attend(self, x):
        q, k, v = (f(x).unflatten(-1, (self.heads, 64)).transpose(1, 2) for f in (self.q, self.k, self.v))
        if not self.training:
            return F.scaled_dot_product_attention(q, k, v)
        scores = q @ k.transpose(-1, -2) / math.sqrt(64)  # [batch, heads, seq, seq]; faster than the fused op with dropout
        return self.drop(F.softmax(scores, -1)) @ v

    def forward(self, x):
        mixed = self.attend(x).transpose(1, 2).flatten(2)  # [batch, seq, hidden]
        x = self.norm1(x + self.drop(self.out(mixed)))
        return self.norm2(x + self.drop(self.down(F.gelu(self.up(x)))))


class Bert(nn.Module):
    def __init__(self, model, vocab, dropout=0.1):
        super().__init__()
        layers, width = CONFIGS[model]
        self.word, self.place, self.kind = nn.Embedding(vocab, width), nn.Embedding(512, width), nn.Embedding(2, width)
        self.norm, self.drop = nn.LayerNorm(width, 1e-12), nn.Dropout(dropout)
        self.layers = nn.ModuleList(Layer(width, dropout) for _ in range(layers))
        self.pooler, self.transform, self.sentence = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(width, 2)
        self.transform_norm, self.bias = nn.LayerNorm(width, 1e-12), nn.Parameter(torch.zeros(vocab))
        self.apply(lambda m: nn.init.normal_(m.weight, 0, 0.02) if isinstance(m, (nn.Linear, nn.Embedding)) else None)

    def encode(self, ids, kinds):
        x = self.word(ids) + self.place(torch.arange(ids.shape[1]))[None] + self.kind(kinds)
        x = self.drop(self.norm(x))
        for layer in self.layers:
            x = layer(x)
        return x, torch.tanh(self.pooler(x[:, 0]))

    def forward(self, ids, kinds, places, labels, sentences):
        x, pooled = self.encode(ids, kinds)
        read = self.transform_norm(F.gelu(self.transform(x.flatten(0, 1)[places])))
        words = F.cross_entropy(F.linear(read, self.word.weight, self.bias), labels)
        return words + F.cross_entropy(self.sentence(pooled), sentences)


def batch_of(work):
    batch, seq, vocab = work["batch"], work["seq"], work["vocab"]
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, vocab, (batch, seq), generator=generator)
    kinds = (torch.arange(seq) >= seq // 2).long().expand(batch, seq)
    masked = min(20 if seq <= 128 else 77, seq)
    where = torch.stack([torch.randperm(seq, generator=generator)[:masked] for _ in range(batch)])
    places = (where + torch.arange(batch)[:, None] * seq).flatten()
    return ids, kinds, places, ids.flatten()[places], torch.randint(0, 2, (batch,), generator=generator)


def training(work):
    model = Bert(work["model"], work["vocab"]).train()
    parameters = list(model.parameters())
    groups = [{"params": [p for p in parameters if p.dim() > 1], "weight_decay": 0.01},
              {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-4, eps=1e-6)
    data = batch_of(work)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = model(*data)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        return loss.item()

    return step, [step()]


def inferring(work):
    model = Bert(work["model"], work["vocab"]).eval()
    ids = batch_of(work)[0]
    kinds = torch.zeros_like(ids)

    def call():
        with torch.inference_mode():
            return model.encode(ids, kinds)

    call()
    return call, []  # weights of its own: nothing to compare


def peak_memory():
    try:  # getrusage begins with what the process had that started this one
        with open("/proc/self/status") as status:
            return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) * 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main():
    threads, work = int(sys.argv[1]), json.loads(sys.argv[2])
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    call, sample = (training if work["kind"] == "train" else inferring)(work)
    print(json.dumps({"version": torch.__version__, "sample": sample}), flush=True)
    for line in sys.stdin:
        times = json.loads(line)["times"]
        start = time.perf_counter()
        for _ in range(times):
            call()
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "memory": peak_memory()}), flush=True)


main()
