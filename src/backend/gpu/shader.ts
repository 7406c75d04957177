// Changes to the WGSL that gpu.js assembles. Each must find its place: another version of gpu.js would fail here, aloud.
import { BackendError } from '../../core/errors.js';
import type { FastKernel, PlainKernel } from './spec.js';

const ELEMENTS = { f32: 'f32', i32: 'i32', u32: 'u32', vec4: 'vec4<f32>' } as const;
type Element = keyof typeof ELEMENTS;

/** @throws {BackendError} when `pattern` is not in `wgsl` */
function change(wgsl: string, pattern: RegExp | string, by: string): string {
  const found = typeof pattern === 'string' ? wgsl.includes(pattern) : pattern.test(wgsl);
  if (!found) {
    throw new BackendError(`gpu: gpu.js assembles its shaders in another way than version 2.24.1: no ${pattern}`, {
      code: 'BACKEND-GPU',
      fix: 'install the version of gpu.js that package.json names',
    });
  }
  return wgsl.replace(pattern, () => by);
}

/** More numbers behind the parameters of gpu.js: where the result begins, and the first workgroup along each axis. */
const withPlaces = (wgsl: string): string =>
  change(wgsl, /\n\}\n@group/, '\n  resultOffset : u32,\n  firstX : u32,\n  firstY : u32,\n  firstZ : u32,\n}\n@group');

const ENTRY = /@workgroup_size\(([^)]*)\)\s*fn main\(([^{]*)\) \{/;
const FIRST = 'vec3<u32>(params.firstX, params.firstY, params.firstZ)';

/** A launch may be part of a larger one: workgroups and threads are counted from the beginning of the whole. */
function withinWhole(wgsl: string): string {
  const [, size = '', builtins = ''] = ENTRY.exec(wgsl) ?? [];
  const [x = '1', y = '1', z = '1'] = size.split(',').map((n) => n.trim());
  const places: Record<string, string> = {
    wid: `wid_here + ${FIRST}`,
    gid: `gid_here + ${FIRST} * vec3<u32>(${x}, ${y}, ${z})`,
    groups: 'vec3<u32>(params.outputX, params.outputY, params.outputZ)',
  };
  const used = Object.entries(places).filter(([name]) => new RegExp(`\\b${name} :`).test(builtins));
  const lets = used.map(([name, value]) => `  let ${name} = ${value};`).join('\n');
  const here = used.reduce((text, [name]) => text.replace(`${name} :`, `${name}_here :`), builtins);
  return change(wgsl, ENTRY, `@workgroup_size(${size})\nfn main(${here}) {\n${lets}`);
}

const variable = (name: string): RegExp => new RegExp(`var<storage, read> user_${name} : array<f32>;`);

/**
 * Arrays begin where `dims.w` says, so that a kernel can be given a window of a buffer; ids are integers; a parameter
 * that is updated in place is the result.
 */
export function plainShader(wgsl: string, { params, result, inPlace }: PlainKernel): string {
  let text = withinWhole(withPlaces(wgsl));
  for (const [name, kind] of Object.entries(params)) {
    if (kind !== 'f32' && kind !== 'i32') continue;
    const index = `u32(x + i32(params.user_${name}_dims.x) * (y + i32(params.user_${name}_dims.y) * z))`;
    const read = `return user_${name}[${index}];`;
    if (name === inPlace) {
      const element = `result[params.resultOffset + ${index}]`;
      text = change(text, new RegExp(`@group\\(0\\) @binding\\(\\d+\\) ${variable(name).source}\\n`), '');
      text = change(text, read, `return f32(${element});`);
    } else {
      text = change(text, variable(name), `var<storage, read> user_${name} : array<${kind}>;`);
      text = change(text, read, `return f32(user_${name}[params.user_${name}_dims.w + ${index}]);`);
    }
  }
  const element = result ?? 'f32';
  text = change(text, 'read_write> result : array<f32>', `read_write> result : array<${element}>`);
  const write = /result\[data_index\] = (.*?);return;/;
  do {
    const value = write.exec(text)?.[1] ?? '';
    text = change(text, write, `result[params.resultOffset + u32(data_index)] = ${element}(${value});return;`);
  } while (write.test(text));
  return text;
}

function accessors(name: string, kind: Element, offset: string, array: string, writable: boolean): string {
  const type = ELEMENTS[kind];
  const read = `fn ${name}_at(i : u32) -> ${type} { return ${array}[${offset} + i]; }`;
  return writable ? `${read}\nfn set_${name}(i : u32, value : ${type}) { ${array}[${offset} + i] = value; }` : read;
}

/** Bindings and parameters of gpu.js, with the types that the kernel asks for, and its own text in place of a translation. */
export function fastShader(wgsl: string, { params, outputs, subgroups, wgsl: body }: FastKernel): string {
  let head = withPlaces(wgsl.slice(0, wgsl.indexOf('var<private> threadGid')));
  const extra: string[] = [];
  for (const [name, kind] of Object.entries(params)) {
    if (kind === 'float') continue;
    if (kind === 'int') {
      head = change(head, `user_${name} : i32`, `user_${name} : u32`);
      continue;
    }
    head = change(head, variable(name), `var<storage, read> user_${name} : array<${ELEMENTS[kind]}>;`);
    extra.push(accessors(name, kind, `params.${name}_dims.w`, name, false));
  }
  for (const [i, [name, kind]] of Object.entries(outputs).entries()) {
    const array = `array<${ELEMENTS[kind]}>`;
    if (i === 0) head = change(head, 'read_write> result : array<f32>', `read_write> result : ${array}`);
    else head = change(head, variable(name), `var<storage, read_write> user_${name} : ${array};`);
    const [offset, from] = i === 0 ? ['params.resultOffset', 'result'] : [`params.${name}_dims.w`, name];
    extra.push(accessors(name, kind, offset, from, true));
  }
  return `${subgroups ? 'enable subgroups;\n' : ''}${head.replaceAll('user_', '')}\n${extra.join('\n')}\n${withinWhole(body)}`;
}
