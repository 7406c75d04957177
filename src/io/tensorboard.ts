import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { AppendFile, type Write } from './append-file.js';
import { maskedCrc32c } from './crc32c.js';
import { double, float, integer, joined, message, type Proto, text } from './protobuf.js';
import { systemError } from './system-errors.js';

function uint32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

/** A TFRecord: length, its masked CRC, the data, theirs (tensorflow/core/lib/io/record_writer.h). */
export function tfRecord(data: Uint8Array): Uint8Array {
  const length = new Uint8Array(BigUint64Array.of(BigInt(data.length)).buffer);
  return joined([length, uint32(maskedCrc32c(length)), data, uint32(maskedCrc32c(data))]);
}

/** Event: wall_time 1, step 2, and one of file_version 3, summary 5, session_log 7 (tensorflow/core/util/event.proto). */
const event = (wallTime: number, step: number, what: Proto): Uint8Array =>
  tfRecord(joined([double(1, wallTime), integer(2, step), what].flat()));

/** Summary.Value: tag 1, simple_value 2 (tensorboard/compat/proto/summary.proto). */
const scalar = (tag: string, value: number): Proto => message(1, text(1, tag), float(2, value));

/** Summary.Value of the text plugin: tag 1, tensor 8 (dtype 1 = string, shape 2, string_val 8), metadata 9. */
const note = (tag: string, value: string): Proto =>
  message(
    1,
    text(1, tag),
    message(8, integer(1, 7), message(2, message(2, integer(1, 1))), text(8, value)),
    message(9, message(1, text(1, 'text'))),
  );

/** SessionLog: status 1 = START. TensorBoard then forgets what an earlier session wrote at this step and later. */
const restart = message(7, integer(1, 1));

/** Curves for TensorBoard: an event file of one session. */
export class EventWriter {
  private readonly file: AppendFile;

  /**
   * @param resumedStep the step that the session goes on from; null for a new run
   * @param now seconds since 1970
   */
  constructor(
    folder: string,
    resumedStep: number | null,
    warn: (text: string) => void,
    private readonly now: () => number = () => Date.now() / 1000,
    write?: Write,
  ) {
    try {
      mkdirSync(folder, { recursive: true });
    } catch (error) {
      throw systemError(error, folder, 'write');
    }
    const time = now();
    const name = `events.out.tfevents.${Math.floor(time)}.${hostname()}.${process.pid}`;
    this.file = new AppendFile(join(folder, name), warn, write);
    this.file.append(event(time, 0, text(3, 'brain.Event:2')));
    if (resumedStep !== null) this.file.append(event(time, resumedStep + 1, restart));
  }

  /** @param values by tag, such as `train/masked_lm_loss`; a tag's part before the slash becomes a section */
  scalars(step: number, values: Readonly<Record<string, number>>): void {
    const summary = Object.entries(values).map(([tag, value]) => scalar(tag, value));
    this.file.append(event(this.now(), step, message(5, ...summary)));
  }

  /** @param markdown is shown as such */
  text(step: number, tag: string, markdown: string): void {
    this.file.append(event(this.now(), step, message(5, note(tag, markdown))));
  }

  /** @throws {IoError} records wait for room on the disk */
  flush(): void {
    this.file.flush();
  }

  /** @throws {IoError} records wait for room on the disk */
  close(): void {
    this.file.close();
  }
}
