import { dropout } from '../nn/dropout.js';
import { Embedding } from '../nn/embedding.js';
import type { Initializer } from '../nn/init.js';
import { LayerNorm } from '../nn/layer-norm.js';
import { Module } from '../nn/module.js';
import { look, type Pass } from '../nn/pass.js';
import { tensor } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import type { BertConfig } from './config.js';
import { SITE } from './hooks.js';
import type { BertInput } from './input.js';

/** Token + position + segment, then LayerNorm and dropout (Devlin et al. 2019, fig. 2; modeling.py:428-521). */
export class BertEmbeddings extends Module {
  readonly word: Embedding;
  readonly position: Embedding;
  readonly tokenType: Embedding;
  readonly norm: LayerNorm;

  constructor(
    private readonly config: BertConfig,
    init: Initializer,
  ) {
    super();
    const { vocabSize, hiddenSize, maxPositionEmbeddings, typeVocabSize, initializerRange, layerNormEps } = config;
    this.word = new Embedding(vocabSize, hiddenSize, init, initializerRange);
    this.position = new Embedding(maxPositionEmbeddings, hiddenSize, init, initializerRange);
    this.tokenType = new Embedding(typeVocabSize, hiddenSize, init, initializerRange);
    this.norm = new LayerNorm(hiddenSize, layerNormEps, init);
  }

  /** @returns [rows, hidden] */
  forward(input: BertInput, pass: Pass): Tensor {
    const backend = this.word.weight.backend;
    const ids = (data: Int32Array): Tensor => tensor(data, [input.rows], { backend });
    const words = look(pass, 'embeddings.word', this.word.forward(ids(input.inputIds)));
    const positions = look(pass, 'embeddings.position', this.position.forward(ids(input.positionIds)));
    const types = look(pass, 'embeddings.tokenType', this.tokenType.forward(ids(input.tokenTypeIds)));
    const sum = look(pass, 'embeddings.sum', words.add(types).add(positions)); // [rows, hidden]
    const normed = this.norm.forward(sum);
    return look(pass, 'embeddings', dropout(normed, this.config.hiddenDropoutProb, SITE.embeddings, pass));
  }
}
