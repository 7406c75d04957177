import type { Sink } from '../../src/cli/progress.js';
import { width } from '../../src/cli/ui.js';

/** A terminal as far as the reporter needs one: text, line ends, cursor up, erase; lines too long are broken. */
export class Screen implements Sink {
  readonly isTTY = true;
  /** Characters by row; the second half of a wide one is ''. */
  private readonly cells: string[][] = [[]];
  private row = 0;
  private column = 0;
  /** Lines that did not fit and were broken by the terminal. */
  broken = 0;

  constructor(
    public columns: number,
    public rows = 40,
  ) {}

  write(text: string): boolean {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences
    for (const part of text.split(/(\u001b\[\d*;?\d*[A-Za-z])/)) {
      if (part.startsWith('\u001b[')) this.obey(Number(part.slice(2, -1)), part.slice(-1));
      else for (const character of part) this.put(character);
    }
    return true;
  }

  private obey(n: number, command: string): void {
    if (command === 'A') this.row = Math.max(0, this.row - n);
    else if (command === 'K') this.cells[this.row]?.splice(this.column);
    else if (command === 'J') {
      this.cells[this.row]?.splice(this.column);
      this.cells.splice(this.row + 1);
    } else if (command !== 'm') throw new Error(`a terminal is not asked for ${command} here`);
  }

  private put(character: string): void {
    if (character === '\n') this.newLine();
    else if (character === '\r') this.column = 0;
    else {
      if (this.column + width(character) > this.columns) {
        this.broken++;
        this.newLine();
      }
      const line = this.cells[this.row] as string[];
      while (line.length < this.column) line.push(' ');
      line.splice(this.column, width(character), character, ...(width(character) === 2 ? [''] : []));
      this.column += width(character);
    }
  }

  private newLine(): void {
    this.row++;
    this.column = 0;
    if (this.cells[this.row] === undefined) this.cells[this.row] = [];
  }

  get lines(): string[] {
    return this.cells.map((line) => line.join('').trimEnd());
  }
}

/** A stream that is no terminal. */
export class Pipe implements Sink {
  text = '';
  write(text: string): boolean {
    this.text += text;
    return true;
  }
  get lines(): string[] {
    return this.text.split('\n');
  }
}
