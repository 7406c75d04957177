import { describe, expect, test } from '@jest/globals';
import { configToJson, parseConfig, preset, presetNames } from '../../src/bert/config.js';
import { BertForPreTraining } from '../../src/bert/pretraining.js';
import { summarize } from '../../src/bert/summary.js';
import { ConfigError } from '../../src/core/errors.js';
import { parameterCount } from '../../src/train/flops.js';

const GOOD = {
  vocab_size: 100,
  hidden_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 3,
  intermediate_size: 20,
};

/** What is said of a wrong config.json. */
function complaint(json: unknown): string {
  try {
    parseConfig(json, 'x/config.json');
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

describe('config.json', () => {
  test.each([
    ['no object', [], 'one JSON object'],
    [
      'an unknown key, with the nearest known one',
      { ...GOOD, hiden_size: 3 },
      '"hiden_size"; did you mean "hidden_size"?',
    ],
    ['a missing key', { ...GOOD, vocab_size: undefined }, '"vocab_size" must be present; got nothing'],
    ['a fraction', { ...GOOD, hidden_size: 12.5 }, '"hidden_size" must be a whole number above 0; got 12.5'],
    ['a text', { ...GOOD, hidden_size: '12' }, 'got "12"'],
    ['no layer', { ...GOOD, num_hidden_layers: 0 }, 'num_hidden_layers'],
    ['a rate of 1', { ...GOOD, hidden_dropout_prob: 1 }, '[0, 1)'],
    ['a null', { ...GOOD, layer_norm_eps: null }, 'layer_norm_eps'],
    ['an unknown activation', { ...GOOD, hidden_act: 'swish' }, 'one of gelu, gelu_new, relu'],
    [
      'heads that do not divide',
      { ...GOOD, num_attention_heads: 5 },
      '"hidden_size" 12 does not divide by "num_attention_heads" 5',
    ],
    ['another architecture', { ...GOOD, model_type: 'roberta' }, '"roberta"; this is a BERT only with "bert"'],
    ['a decoder', { ...GOOD, is_decoder: true }, 'is_decoder'],
    ['relative positions', { ...GOOD, position_embedding_type: 'relative_key' }, '"absolute"'],
    ['a key of every object', JSON.parse('{"__proto__": 1, "constructor": 2}'), 'constructor'],
  ])('%s', (_name, json, words) => {
    expect(complaint(json)).toContain(words);
  });

  test('all mistakes are named at once', () => {
    const said = complaint({ ...GOOD, hidden_act: 'swish', vocab_size: -1, speed: 'fast' });
    for (const word of ['swish', '-1', 'speed']) expect(said).toContain(word);
  });

  test('is written and read back the same, and as transformers names it', () => {
    const config = parseConfig(GOOD);
    expect(parseConfig(configToJson(config))).toEqual(config);
    expect(configToJson(config)).toMatchObject({
      ...GOOD,
      architectures: ['BertForPreTraining'],
      layer_norm_eps: 1e-12,
    });
  });
});

describe('presets', () => {
  test('the published numbers of parameters (with both heads; word table shared)', () => {
    const count = (name: string): number => parameterCount(preset(name, { vocabSize: 30522 }));
    expect(count('base')).toBe(110_106_428);
    expect(count('large')).toBe(336_226_108);
    // Turc et al. 2019, table 1: 4.4, 11.3, 29.1, 41.7 million without heads.
    const rough = ['tiny', 'mini', 'small', 'medium'].map((name) => Math.round(count(name) / 1e5) / 10);
    expect(rough).toEqual([4.4, 11.3, 29.1, 41.7].map((n) => expect.closeTo(n, 0)));
  });

  test('an unknown one is refused with the nearest', () => {
    expect(() => preset('bas', { vocabSize: 10 })).toThrow('did you mean "base"?');
    expect(presetNames).toEqual(['tiny', 'mini', 'small', 'medium', 'base', 'large']);
  });
});

test('the summary counts every parameter once', () => {
  const config = parseConfig(GOOD);
  const model = new BertForPreTraining(config);
  const parts = summarize(model);
  expect(parts.reduce((sum, p) => sum + p.parameters, 0)).toBe(model.parameterCount());
  expect(model.parameterCount()).toBe(parameterCount(config));
  expect(model.summary()).toMatch(/1,200 .*word embeddings/);
  expect(model.summary()).toContain(`${model.parameterCount().toLocaleString('en')} 100.0 %  all parameters`);
  model.dispose();
});
