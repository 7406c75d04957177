import { Tensor } from '../tensor/tensor.js';
import { Replay } from './replay.js';

/**
 * A part of a model: tensors it owns and parts it is made of, found by walking its own properties. Names follow the
 * property path: `encoder.layers.0.attention.query.weight`.
 */
export abstract class Module {
  #replay: Replay | null = null;

  /** Its passes without gradients that come again. */
  get replay(): Replay {
    this.#replay ??= new Replay();
    return this.#replay;
  }

  /**
   * All parameters with their names, frozen ones (without requiresGrad) too, in the order of their declaration. A tensor met
   * twice (tied) is named once.
   */
  namedParameters(): Map<string, Tensor> {
    const found = new Map<string, Tensor>();
    const seen = new Set<Tensor>();
    collect(this, '', found, seen);
    return found;
  }

  parameters(): Tensor[] {
    return [...this.namedParameters().values()];
  }

  /** Number of trainable numbers. */
  parameterCount(): number {
    return this.parameters().reduce((count, parameter) => count + (parameter.requiresGrad ? parameter.size : 0), 0);
  }

  /** Clears the gradients of all parameters. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) {
      parameter.grad?.dispose();
      parameter.grad = null;
    }
  }

  /** Gives all memory back; the module is of no further use. */
  dispose(): void {
    this.#replay?.forget();
    this.zeroGrad();
    for (const parameter of this.parameters()) parameter.dispose();
  }
}

function collect(part: unknown, path: string, found: Map<string, Tensor>, seen: Set<Tensor>): void {
  if (part instanceof Tensor) {
    if (seen.has(part)) return;
    seen.add(part);
    found.set(path, part);
  } else if (part instanceof Module || Array.isArray(part)) {
    for (const [key, value] of Object.entries(part)) collect(value, path === '' ? key : `${path}.${key}`, found, seen);
  }
}
