import { BackendError } from '../../../core/errors.js';

/** A WebGL 2 context and what kernels must know of it. */
export interface Context {
  readonly gl: WebGL2RenderingContext;
  readonly canvas: OffscreenCanvas;
  /** "SwiftShader (Google)". */
  readonly adapter: string;
  readonly software: boolean;
  /** Texels along a side of a texture. */
  readonly side: number;
  /** Textures that a kernel can draw to at once: 4, or more. */
  readonly results: number;
  /** @throws {BackendError} what has gone wrong since the last call: lost, out of memory */
  check(): void;
}

const SOFTWARE = /swiftshader|llvmpipe|softpipe|basic render|software/i;

const absent = (what: string): BackendError =>
  new BackendError(`gpu: ${what}`, {
    code: 'BACKEND-GPU',
    where: 'WebGL 2',
    fix: 'use another browser or the js backend',
  });

function adapterOf(gl: WebGL2RenderingContext): string {
  const names = gl.getExtension('WEBGL_debug_renderer_info');
  const name = String(gl.getParameter(names === null ? gl.RENDERER : names.UNMASKED_RENDERER_WEBGL));
  return name.replace(/^ANGLE \((.*)\)$/, '$1');
}

/** @throws {BackendError} where there is no WebGL 2 that draws to textures of floats */
export function openContext(): Context {
  if (typeof OffscreenCanvas === 'undefined') throw absent('WebGL is there in browsers alone');
  const canvas = new OffscreenCanvas(2, 2);
  const gl = canvas.getContext('webgl2', { alpha: false, depth: false, antialias: false });
  if (gl === null) throw absent('this browser has no WebGL 2');
  if (gl.getExtension('EXT_color_buffer_float') === null) throw absent('its WebGL 2 cannot draw to textures of floats');
  const adapter = adapterOf(gl);
  return {
    ...{ gl, canvas, adapter, software: SOFTWARE.test(adapter) },
    side: gl.getParameter(gl.MAX_TEXTURE_SIZE),
    results: gl.getParameter(gl.MAX_DRAW_BUFFERS),
    check: () => check(gl, adapter),
  };
}

/** Hands the thread over for a moment, shorter than any timer of a browser. */
const breath = (): Promise<void> =>
  new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      done();
    };
    port2.postMessage(null);
  });

/** Waits until all that was drawn is done: browsers take `finish` for a mere `flush`. */
export async function finished(gl: WebGL2RenderingContext): Promise<void> {
  const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
  gl.flush();
  if (fence === null) return; // a lost context: `check` says so
  while (gl.clientWaitSync(fence, 0, 0) === gl.TIMEOUT_EXPIRED) await breath();
  gl.deleteSync(fence);
}

/**
 * A lost context computes zeros and says nothing (gpu.js #859: a launch that took longer than the browser allows), so it
 * is asked at every read.
 */
function check(gl: WebGL2RenderingContext, adapter: string): void {
  if (gl.isContextLost()) {
    throw new BackendError('gpu: the browser has taken the GPU away', {
      code: 'BACKEND-GPU-LOST',
      where: adapter,
      fix: 'reload the page; if it happens again, use a smaller batch, for a launch may have taken too long',
    });
  }
  const error = gl.getError();
  if (error === gl.NO_ERROR) return;
  const memory = error === gl.OUT_OF_MEMORY;
  throw new BackendError(`gpu: ${memory ? 'out of memory' : `WebGL error ${error}`}`, {
    code: memory ? 'BACKEND-MEMORY' : 'BACKEND-GPU',
    where: adapter,
    fix: memory ? 'use a smaller batch or model' : 'report this, with the name of the browser',
  });
}
