// What the page shows: a card a mode, and a curve a training.
import { OPS } from '../../../src/ops/index.js';
import type { OpResult } from './conformance.js';
import { TOY, type ToyStep } from './toy.js';

const SAMPLES = OPS.reduce((sum, op) => sum + op.samples.length, 0);
const COLOURS = ['var(--a)', 'var(--b)', 'var(--c)'];

function element(tag: string, text = '', className = ''): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

function find(selector: string): HTMLElement {
  const found = document.querySelector<HTMLElement>(selector);
  if (found === null) throw new Error(`the page has no ${selector}`);
  return found;
}

/** Lets the browser draw. */
export const breathe = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

export function showPlace(): void {
  const name = navigator.userAgent.match(/(Firefox|Edg|Chrome|Version)\/[\d.]+/)?.[0] ?? navigator.userAgent;
  find('#where').textContent =
    `${name.replace('/', ' ')}: every op on every sample of the conformance suite, value and gradients, against float64 ` +
    'loops run in this page, within derived bounds.';
}

/** The card of a mode, filled in while it runs. */
export class Card {
  private readonly card = element('section');
  private readonly about = element('p', '…');
  private readonly count = element('div', '', 'count');
  private readonly bar = element('div', '', 'bar');
  private readonly ops = element('div', '', 'ops');
  private readonly details = element('details');
  private passed = 0;
  private failed = 0;

  constructor(name: string) {
    this.bar.append(element('i'));
    this.card.append(element('h2', name), this.about, this.count, this.bar, this.ops);
    find('#modes').append(this.card);
  }

  describe(text: string): void {
    this.about.textContent = text;
  }

  add({ op, passed, failures }: OpResult): void {
    this.passed += passed;
    this.failed += failures.length;
    const row = element('div');
    const good = failures.length === 0;
    row.append(element('b', op), element('span', good ? `${passed} ✓` : `${failures.length} ✗`, good ? 'good' : 'bad'));
    this.ops.append(row);
    for (const failure of failures) this.details.append(element('div', `${op}, ${failure}`));
    if (failures.length > 0 && !this.details.isConnected) {
      this.details.prepend(element('summary', 'what failed'));
      this.card.append(this.details);
    }
    this.draw();
  }

  /** Ends with what the mode cost, or with why it is not there. */
  end(text: string): void {
    this.count.append(element('small', ` ${text}`));
  }

  private draw(): void {
    this.count.replaceChildren(element('span', `${this.passed}`, this.failed === 0 ? 'good' : 'bad'));
    const missed = this.failed === 0 ? '' : `, ${this.failed} failed`;
    this.count.append(element('small', ` of ${SAMPLES} samples${missed}`));
    const done = this.bar.firstElementChild as HTMLElement;
    done.style.width = `${(100 * (this.passed + this.failed)) / SAMPLES}%`;
    if (this.failed > 0) done.style.background = 'var(--bad)';
  }
}

const WIDTH = 1100;
const HEIGHT = 260;
const LEFT = 42;

/** Losses of masked words so far; lines that agree lie on top of one another, so later ones are dashed. */
export class Curves {
  private readonly runs = new Map<string, ToyStep[]>();

  constructor(about: string) {
    find('#training').hidden = false;
    find('#training p').textContent = about;
  }

  add(name: string, step: ToyStep): void {
    const steps = this.runs.get(name) ?? [];
    steps.push(step);
    this.runs.set(name, steps);
    this.draw();
  }

  private draw(): void {
    const losses = [...this.runs.values()].flat().map(({ mlm }) => mlm);
    const [low, high] = [Math.floor(2 * Math.min(...losses)) / 2, Math.ceil(2 * Math.max(...losses)) / 2];
    const x = (step: number): number => LEFT + (step / (TOY.steps - 1)) * (WIDTH - LEFT - 10);
    const y = (loss: number): number => 10 + ((high - loss) / Math.max(0.5, high - low)) * (HEIGHT - 40);
    const parts: string[] = [];
    for (let loss = low; loss <= high; loss += 0.5) {
      parts.push(`<line x1="${LEFT}" x2="${WIDTH - 10}" y1="${y(loss)}" y2="${y(loss)}" stroke="var(--line)"/>`);
      parts.push(`<text x="${LEFT - 8}" y="${y(loss) + 4}" text-anchor="end">${loss.toFixed(1)}</text>`);
    }
    for (let step = 0; step < TOY.steps; step += 10) {
      parts.push(`<text x="${x(step)}" y="${HEIGHT - 8}" text-anchor="middle">step ${step}</text>`);
    }
    let run = 0;
    for (const steps of this.runs.values()) {
      const points = steps.map(({ mlm }, i) => `${x(i).toFixed(1)},${y(mlm).toFixed(1)}`);
      const dash = run === 0 ? '' : ` stroke-dasharray="${4 + 3 * run} ${6 + 3 * run}"`;
      parts.push(
        `<polyline fill="none" stroke-width="${4 - run}" stroke="${COLOURS[run]}"${dash} points="${points}"/>`,
      );
      run++;
    }
    find('#training .curve').innerHTML =
      `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="loss by step">${parts.join('')}</svg>`;
    find('#training .legend').replaceChildren(...[...this.runs].map(([name, steps], i) => legend(name, steps, i)));
  }
}

function legend(name: string, steps: readonly ToyStep[], i: number): HTMLElement {
  const { mlm, sentence } = steps[steps.length - 1];
  const item = element('span');
  const line = element('i');
  line.style.background = COLOURS[i];
  item.append(line, `${name}: step ${steps.length - 1}, words ${mlm.toFixed(4)}, pairs ${sentence.toFixed(4)}`);
  return item;
}
