import type { OnnxAttribute, OnnxNode, OnnxTensor, OnnxValue } from '../../io/onnx.js';
import type { TensorData } from '../../io/safetensors.js';

/** A graph in the making: each call adds a node and gives the name of its result. */
export class GraphBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly constants = new Map<string, OnnxTensor>();
  private readonly names = new Map<string, number>();

  constructor(private readonly weights: ReadonlyMap<string, TensorData>) {}

  /** @returns the name of its output */
  add(op: string, inputs: readonly string[], attributes: Readonly<Record<string, OnnxAttribute>> = {}): string {
    const output = this.unique(op);
    this.nodes.push({ op, inputs, output, attributes });
    return output;
  }

  /** Gives a result the name that it has outside. */
  output(name: string, from: string, shape: OnnxValue['shape']): OnnxValue {
    this.nodes.push({ op: 'Identity', inputs: [from], output: name });
    return { name, dtype: 'f32', shape };
  }

  /** A list of whole numbers, such as the axes of a node; `null` shape: a scalar. */
  integers(...values: readonly number[]): string {
    return this.constant(`int_${values.join('_')}`, [values.length], BigInt64Array.from(values, BigInt));
  }
  index(value: number): string {
    return this.constant(`index_${value}`, [], BigInt64Array.of(BigInt(value)));
  }
  number(value: number): string {
    return this.constant(`float_${value}`, [], Float32Array.of(value));
  }

  /** A weight as it is stored. */
  weight(name: string): string {
    const { shape, data } = this.stored(name);
    return this.constant(name, shape, data);
  }

  /** y = x W^T + b, W [out, in]. The weight is stored turned: MatMul takes [in, out]. */
  linear(x: string, name: string): string {
    const turned = `${name}.weight.transposed`;
    if (!this.constants.has(turned)) {
      const { shape, data } = this.stored(`${name}.weight`);
      const [rows, cols] = shape;
      const out = new Float32Array(data.length);
      for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) out[c * rows + r] = data[r * cols + c];
      this.constant(turned, [cols, rows], out);
    }
    return this.add('Add', [this.add('MatMul', [x, turned]), this.weight(`${name}.bias`)]);
  }

  layerNorm(x: string, name: string, eps: number): string {
    const inputs = [x, this.weight(`${name}.weight`), this.weight(`${name}.bias`)];
    return this.add('LayerNormalization', inputs, { axis: -1, epsilon: { float: eps } });
  }

  /** Rows of a weight: the outputs of a layer. */
  rows(name: string): number {
    return this.stored(name).shape[0];
  }

  has(name: string): boolean {
    return this.weights.has(name);
  }

  private stored(name: string): { shape: readonly number[]; data: Float32Array } {
    const found = this.weights.get(name);
    if (!(found?.data instanceof Float32Array)) throw new Error(`the graph wants "${name}", which the model has not`);
    return { shape: found.shape, data: found.data };
  }

  private constant(name: string, shape: readonly number[], data: OnnxTensor['data']): string {
    if (!this.constants.has(name)) this.constants.set(name, { name, shape, data });
    return name;
  }

  private unique(op: string): string {
    const count = this.names.get(op) ?? 0;
    this.names.set(op, count + 1);
    return `${op.toLowerCase()}_${count}`;
  }
}
