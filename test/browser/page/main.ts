// The page: conformance in each mode, then a pre-training in each. `?modes=js&only=softmax&steps=0` runs less.
import type { Backend } from '../../../src/backend/backend.js';
import { conformance, type OpResult, otherBits, refusedId } from './conformance.js';
import { MODES, type Mode } from './modes.js';
import { TOY, type ToyStep, toyTrainer, trainToy } from './toy.js';
import { breathe, Card, Curves, showPlace } from './view.js';

/** What a mode came to; `absent` says why it is not there. */
export interface ModeResult {
  readonly mode: string;
  readonly runsOn: string;
  readonly absent: string | null;
  readonly ops: readonly OpResult[];
  readonly losses: readonly ToyStep[];
  /** What it said to an id beyond its table. */
  readonly refused: string | null;
  /** How launches were cut up when the bits were others; null: never. */
  readonly otherBits: string | null;
}

const query = new URLSearchParams(location.search);
const wanted = query.get('modes')?.split(',');

async function runOps(backend: Backend, card: Card): Promise<OpResult[]> {
  const ops: OpResult[] = [];
  const begun = performance.now();
  for await (const result of conformance(backend, query.get('only') ?? '')) {
    ops.push(result);
    card.add(result);
    await breathe();
  }
  card.end(`in ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  return ops;
}

async function runMode(mode: Mode): Promise<ModeResult> {
  const card = new Card(mode.name);
  try {
    const backend = await mode.open();
    card.describe(backend.runsOn);
    const [refused, other] = [await refusedId(backend), await otherBits(mode.open)];
    const { runsOn } = backend;
    const ops = await runOps(backend, card);
    return { mode: mode.name, runsOn, absent: null, ops, losses: [], refused, otherBits: other };
  } catch (error) {
    const absent = error instanceof Error ? error.message : String(error);
    card.describe(absent);
    card.end('not run');
    return { mode: mode.name, runsOn: '', absent, ops: [], losses: [], refused: null, otherBits: null };
  }
}

const about = `A BERT of ${TOY.layers} layers and width ${TOY.hidden}, ${TOY.steps} steps on text fetched as a string: the vocabulary is trained
  here, too. Loss of masked words; every mode follows the same curve.`;

async function trainAll(results: ModeResult[]): Promise<ModeResult[]> {
  const library = (await import('./bertgrad.js' as string)) as typeof import('../../../src/index.js');
  const text = (await (await fetch('corpus.txt')).text()).slice(0, TOY.characters);
  const curves = new Curves(about);
  const trained: ModeResult[] = [];
  for (const result of results) {
    const open = MODES.find(({ name }) => name === result.mode)?.train;
    if (result.absent !== null || open === undefined) trained.push(result);
    else {
      const trainer = toyTrainer(library, text, await open(library));
      const losses = await trainToy(trainer, (step) => {
        curves.add(result.mode, step);
        return breathe();
      });
      trained.push({ ...result, losses });
    }
  }
  return trained;
}

async function main(): Promise<ModeResult[]> {
  showPlace();
  const results: ModeResult[] = [];
  for (const mode of MODES) {
    if (wanted === undefined || wanted.includes(mode.name)) results.push(await runMode(mode));
  }
  return query.get('steps') === '0' ? results : trainAll(results);
}

// Who drives the page waits for this.
Object.assign(globalThis, { finished: main() });
