import { dropout, droppedAt } from '../nn/dropout.js';
import { Embedding } from '../nn/embedding.js';
import type { Initializer } from '../nn/init.js';
import { LayerNorm } from '../nn/layer-norm.js';
import { Module } from '../nn/module.js';
import { look, type Pass, watched } from '../nn/pass.js';
import { tensor } from '../tensor/create.js';
import type { Tensor } from '../tensor/tensor.js';
import type { BertConfig } from './config.js';
import { SITE } from './hooks.js';
import type { BertInput } from './input.js';

/** What lies between the tables and the result. */
const PARTS = ['embeddings.word', 'embeddings.position', 'embeddings.tokenType', 'embeddings.sum'];

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
    const ids = [input.inputIds, input.positionIds, input.tokenTypeIds].map((data) => {
      return tensor(data, [input.rows], { backend });
    }) as [Tensor, Tensor, Tensor];
    const made = watched(pass, PARTS) ? this.spelledOut(ids, pass) : this.fused(ids, pass);
    return look(pass, 'embeddings', made);
  }

  private fused(ids: readonly [Tensor, Tensor, Tensor], pass: Pass): Tensor {
    const dropout = droppedAt(this.config.hiddenDropoutProb, SITE.embeddings, pass);
    const tables = [this.position.weight, this.tokenType.weight] as const;
    const { weight, bias, eps } = this.norm;
    return this.word.weight.embeddingNorm(tables, ids, weight, bias, { eps, dropout });
  }

  /** The same in single steps, so that each part can be looked at. */
  private spelledOut([word, position, type]: readonly [Tensor, Tensor, Tensor], pass: Pass): Tensor {
    const words = look(pass, 'embeddings.word', this.word.forward(word));
    const positions = look(pass, 'embeddings.position', this.position.forward(position));
    const types = look(pass, 'embeddings.tokenType', this.tokenType.forward(type));
    const sum = look(pass, 'embeddings.sum', words.add(types).add(positions)); // [rows, hidden]
    return dropout(this.norm.forward(sum), this.config.hiddenDropoutProb, SITE.embeddings, pass);
  }
}
