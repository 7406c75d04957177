"""Golden values of the metrics, from scikit-learn, scipy, seqeval and the scripts of SQuAD 2.0 and CMRC 2018.

  python3 test/golden/metrics.py evaluate-v2.0.py cmrc2018_evaluate.py      (pip install scikit-learn scipy seqeval nltk)

The two scripts are those that the data sets publish; that of CMRC is for Python 2 and is adapted in memory. Writes
metrics.json beside itself.
"""
import json
import os
import random
import re
import sys
import types

import numpy as np
from nltk.tokenize import NLTKWordTokenizer
from scipy import stats
from seqeval.metrics import classification_report as entity_report
from seqeval.scheme import IOB2, IOBES
from sklearn import metrics as sk

HERE = os.path.dirname(os.path.abspath(__file__))


def scores(p, r, f):
    return dict(precision=float(p), recall=float(r), f1=float(f))


def classes(truth, guess, names):
    ids = list(range(len(names)))
    out = dict(labels=names, truths=truth, guesses=guess, accuracy=float(sk.accuracy_score(truth, guess)),
               mcc=float(sk.matthews_corrcoef(truth, guess)), confusion=sk.confusion_matrix(truth, guess, labels=ids).tolist())
    for average in ["micro", "macro", "weighted"]:
        p, r, f, _ = sk.precision_recall_fscore_support(truth, guess, average=average, zero_division=0)
        out[average] = scores(p, r, f)
    rows = sk.precision_recall_fscore_support(truth, guess, labels=ids, average=None, zero_division=0)
    out["perClass"] = [dict(scores(p, r, f), support=int(s)) for p, r, f, s in zip(*rows)]
    return out


def several(truth, guess, names):
    out = dict(labels=names, truths=truth, guesses=guess, exactMatch=float(sk.accuracy_score(truth, guess)))
    for average in ["micro", "macro"]:
        p, r, f, _ = sk.precision_recall_fscore_support(truth, guess, average=average, zero_division=0)
        out[average] = scores(p, r, f)
    return out


def entities(truth, guess, scheme):
    out = dict(truths=truth, guesses=guess)
    for mode, extra in [("lenient", {}), ("strict", dict(mode="strict", scheme=scheme))]:
        report = entity_report(truth, guess, output_dict=True, zero_division=0, **extra)
        for key, row in report.items():
            out.setdefault(mode, {})[key] = dict(scores(row["precision"], row["recall"], row["f1-score"]),
                                                 support=int(row["support"]))
    return out


def load_squad(path):
    module = types.ModuleType("squad")
    text = open(path).read()
    exec(compile(text.split("if __name__")[0], path, "exec"), module.__dict__)
    return module


def load_cmrc(path):
    text = open(path, encoding="utf8").read().expandtabs(4)
    text = re.sub(r"^reload.*$|^sys\.setdefault.*$|^import nltk$|^import pdb$", "", text, flags=re.M)
    text = text.replace(".decode('utf-8')", "").replace("ur'[", "r'[")
    module = types.ModuleType("cmrc")
    tokenizer = NLTKWordTokenizer()  # word_tokenize without its cutting of sentences, which needs a model
    module.nltk = types.SimpleNamespace(word_tokenize=tokenizer.tokenize)
    exec(compile(text.split("if __name__")[0], path, "exec"), module.__dict__)
    return module


ENGLISH = ["The Eiffel Tower", "eiffel tower", "a tower, in Paris!", "Paris", "", "the", "An apple a day", "3.14 (approx.)",
           "U.S. president", "us president", "“Quoted” text", "café de Flore", "Cafe de flore", "10,000 people", "it's Bob's",
           "the the cat", "theory of a thing", "naïve — dash", "A", "Paris  Paris", "中文 answer", "x\u00a0y"]
CHINESE = ["光荣和ω-force", "光荣和ω-FORCE开发", "《战国无双3》", "战国无双3", "1,000.5元。", "1000.5元", "5%", "百分之五", "约 2.5 km",
           "2.5km", "don't stop中文", "中文", "中", "“你好”，世界", "你好世界……", "你好世界…", "A.B.公司", "NBA球队 (湖人)", "湖人", "",
           "Bob's 书", "i'll go", "cannot 去", "\"引号\" text", "a&b#c", "1990年-1995年", "1990年1995年", "x; y? z!"]


def answers(rng, module, cmrc):
    out = dict(squad=[], cmrc=[])
    for texts, name in [(ENGLISH, "squad"), (CHINESE, "cmrc")]:
        for guess in texts:
            for _ in range(4):
                truths = rng.sample([t for t in texts if t != ""], rng.randint(1, 3))
                if rng.random() < 0.3:
                    truths[0] = guess if guess != "" else truths[0]
                if name == "squad":
                    golds = [t for t in truths if module.normalize_answer(t)] or [""]  # as get_raw_scores there
                    exact = max(module.compute_exact(t, guess) for t in golds)
                    f1 = max(module.compute_f1(t, guess) for t in golds)
                else:
                    exact, f1 = cmrc.calc_em_score(truths, guess), cmrc.calc_f1_score(truths, guess)
                out[name].append(dict(guess=guess, truths=truths, exact=int(exact), f1=float(f1)))
    return out


def tag_cases(rng):
    cases = []
    for letters, scheme in [("BI", IOB2), ("BIES", IOBES)]:
        for _ in range(4):
            draw = lambda: ["O" if rng.random() < 0.4 else f"{rng.choice(letters)}-{rng.choice(['PER', 'LOC', 'ORG'])}"
                            for _ in range(rng.randint(1, 14))]
            truths = [draw() for _ in range(12)]
            guesses = [[g if rng.random() < 0.3 else t for t, g in zip(row, draw() + ["O"] * 14)] for row in truths]
            cases.append(dict(entities(truths, guesses, scheme), letters=letters))
    return cases


def main():
    rng = random.Random(4)
    squad, cmrc = load_squad(sys.argv[1]), load_cmrc(sys.argv[2])
    draw = lambda k, n: [rng.randrange(k) for _ in range(n)]
    names = lambda k: [f"c{i}" for i in range(k)]
    noisy = draw(4, 60)
    cases = [(draw(2, 50), draw(2, 50), 2), (draw(3, 40), [0] * 40, 3), ([1] * 9, [1] * 9, 2),
             (noisy, [t if rng.random() < 0.7 else rng.randrange(4) for t in noisy], 5)]
    rows = lambda: [[int(rng.random() < 0.4) for _ in range(4)] for _ in range(30)]
    correlations = []
    for n, levels in [(30, None), (40, 5), (2, None), (7, 2)]:
        x = [rng.gauss(0, 1) if levels is None else float(rng.randrange(levels)) for _ in range(n)]
        y = [v + rng.gauss(0, 1) if levels is None else float(rng.randrange(levels)) for v in x]
        correlations.append(dict(x=x, y=y, pearson=float(stats.pearsonr(x, y)[0]), spearman=float(stats.spearmanr(x, y)[0])))
    far = [1e6 + i + rng.random() for i in range(20)]
    up = [float(i) for i in range(20)]
    correlations.append(dict(x=far, y=up, pearson=float(stats.pearsonr(far, up)[0]), spearman=float(stats.spearmanr(far, up)[0])))
    golden = dict(classes=[classes(t, g, names(k)) for t, g, k in cases], several=[several(rows(), rows(), names(4))],
                  correlations=correlations, entities=tag_cases(rng), answers=answers(rng, squad, cmrc))
    with open(os.path.join(HERE, "metrics.json"), "w") as f:
        json.dump(golden, f, ensure_ascii=False)
        f.write("\n")


np.seterr(all="ignore")
main()
