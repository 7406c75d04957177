import type { Remark } from './events.js';

/** Two significant digits: 0.84, 12, 2e-3, 7.7e-4. */
export function short(x: number): string {
  const rounded = Number(x.toPrecision(2));
  return x !== 0 && Math.abs(x) < 0.01 ? rounded.toExponential() : `${rounded}`;
}

/** Collects remarks: a condition is named when it comes up, and again only after it had gone. */
export class Remarks {
  private readonly active = new Set<string>();
  private found: Remark[] = [];

  /** @param text what to say while the condition holds; false when it does not */
  when(step: number, kind: string, severity: Remark['severity'], text: string | false): void {
    if (text === false) this.active.delete(kind);
    else this.once(step, kind, severity, text);
  }

  /** The same for what is said once in a run. */
  once(step: number, kind: string, severity: Remark['severity'], text: string | false): void {
    if (text === false || this.active.has(kind)) return;
    this.active.add(kind);
    this.found.push({ step, kind, severity, text });
  }

  /** Those not taken yet. */
  take(): Remark[] {
    const found = this.found;
    this.found = [];
    return found;
  }
}
