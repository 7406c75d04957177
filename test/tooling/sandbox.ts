import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** A folder of its own for a tool to work on, gone after the test. */
export class Sandbox {
  readonly folder = mkdtempSync(join(tmpdir(), 'bertgrad-'));

  write(files: Readonly<Record<string, string>>): this {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(this.folder, path)), { recursive: true });
      writeFileSync(join(this.folder, path), text);
    }
    return this;
  }

  /** Copies files and folders of the project, under their own names. */
  copy(...paths: readonly string[]): this {
    for (const path of paths) cpSync(path, join(this.folder, path), { recursive: true });
    return this;
  }

  link(path: string, name = path): this {
    mkdirSync(dirname(join(this.folder, name)), { recursive: true });
    symlinkSync(resolve(path), join(this.folder, name));
    return this;
  }

  /** Runs a program of the project, or of the sandbox, in the sandbox; node's own options do not reach it. */
  run(script: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): { code: number; said: string } {
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
      cwd: this.folder,
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '', ...env },
    });
    return { code: status ?? -1, said: stdout + stderr };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
