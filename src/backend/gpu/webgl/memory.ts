import { type Share, Window, WindowMemory } from '../../windows.js';
import type { Grid, Textures } from './textures.js';

/** A texture is there from the first write on. */
interface TextureShare extends Share {
  grid: Grid | null;
  readonly length: number;
}

/** A buffer of this backend: a window of a texture. Integers are kept as floats, exact up to 2^24. */
export type GlBuf = Window<TextureShare>;

/** Whether there is nothing else in the texture. */
export const isWhole = ({ length, share }: GlBuf): boolean => length === share.length;

/** Buffers in textures. */
export class GlMemory extends WindowMemory<TextureShare> {
  constructor(readonly textures: Textures) {
    super('gpu');
  }

  /** A few floats of the backend's own, which nobody frees and which do not count as live. */
  ownFloats(length: number): GlBuf {
    return new Window(this, this.take(length, 4 * length), 'f32', 0, length);
  }

  protected take(length: number, bytes: number): TextureShare {
    return { grid: null, length, bytes, users: 1 };
  }

  protected giveBack(share: TextureShare): void {
    if (share.grid !== null) this.textures.give(share.grid);
    share.grid = null;
  }

  /** The texture, made where nothing was written yet: what it holds then is anything. */
  gridOf({ share }: GlBuf): Grid {
    share.grid ??= this.textures.take(share.length);
    return share.grid;
  }

  /** Another texture takes the place of the present one. */
  replace({ share }: GlBuf, grid: Grid): void {
    if (share.grid !== null) this.textures.give(share.grid);
    share.grid = grid;
  }
}
