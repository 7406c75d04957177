"""The weights of test/golden/interop/BertForPreTraining as a checkpoint of google-research/bert: tf.train.Saver's own files.

python3 test/golden/google-checkpoint.py     (tensorflow, safetensors)
"""
import json
import os
import re
import shutil

import numpy as np
import tensorflow as tf
from safetensors.numpy import load_file

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "interop")
OUT = os.path.join(HERE, "google")
RULES = [(r"\.weight$", "/kernel"), (r"\.bias$", "/bias"), (r"LayerNorm/kernel$", "LayerNorm/gamma"),
         (r"LayerNorm/bias$", "LayerNorm/beta"), (r"_embeddings/kernel$", "_embeddings"),
         (r"encoder\.layer\.(\d+)", r"encoder/layer_\1"), (r"^cls\.predictions/bias$", "cls/predictions/output_bias"),
         (r"^cls\.seq_relationship/kernel$", "cls/seq_relationship/output_weights"),
         (r"^cls\.seq_relationship/bias$", "cls/seq_relationship/output_bias"), (r"\.", "/")]


def googles(name):
    for pattern, to in RULES:
        name = re.sub(pattern, to, name)
    return name


def main():
    weights = load_file(os.path.join(HERE, "BertForPreTraining", "model.safetensors"))
    graph = tf.Graph()
    with graph.as_default():
        for name, value in weights.items():
            to = googles(name)
            value = value.T if to.endswith("/kernel") else value
            tf.compat.v1.get_variable(to, initializer=np.ascontiguousarray(value))
            if to == "bert/pooler/dense/kernel":
                tf.compat.v1.get_variable(to + "/adam_m", initializer=np.zeros_like(value))
        tf.compat.v1.get_variable("global_step", initializer=np.int64(7))
        with tf.compat.v1.Session() as session:
            session.run(tf.compat.v1.global_variables_initializer())
            shutil.rmtree(OUT, ignore_errors=True)
            os.makedirs(OUT)
            tf.compat.v1.train.Saver().save(session, os.path.join(OUT, "bert_model.ckpt"), write_meta_graph=False)
    os.remove(os.path.join(OUT, "checkpoint"))
    keys = ["attention_probs_dropout_prob", "hidden_act", "hidden_dropout_prob", "hidden_size", "initializer_range",
            "intermediate_size", "max_position_embeddings", "num_attention_heads", "num_hidden_layers",
            "type_vocab_size", "vocab_size"]
    config = json.load(open(os.path.join(HERE, "BertForPreTraining", "config.json")))
    with open(os.path.join(OUT, "bert_config.json"), "w") as f:
        json.dump({k: config[k] for k in keys}, f, indent=2)
        f.write("\n")


main()
