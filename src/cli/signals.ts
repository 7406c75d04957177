/** What a run hears of the world while it trains. */
export interface Signals {
  /** Aborted by the first Ctrl-C or SIGTERM. */
  readonly stop: AbortSignal;
  /** Whether SIGUSR1 asked for a checkpoint since the last question. */
  saveRequested(): boolean;
  /** Leaves signals to themselves again; sets the exit code that the shell expects of one that came. */
  close(): void;
}

/** Exit codes of a program that a signal ended: 128 and its number. */
const CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** Hears SIGINT, SIGTERM and SIGUSR1; a second one of the first two ends the program at once. */
export function listenToSignals(say: (text: string) => void): Signals {
  const controller = new AbortController();
  let code: number | null = null;
  let save = false;
  const stopBy = (signal: keyof typeof CODES) => (): void => {
    if (controller.signal.aborted) process.exit(CODES[signal]); // the last checkpoint is whole
    code = CODES[signal];
    say(`${signal}: saving after this step; once more to leave at once`);
    controller.abort();
  };
  const heard = new Map<NodeJS.Signals, () => void>([
    ['SIGINT', stopBy('SIGINT')],
    ['SIGTERM', stopBy('SIGTERM')],
    [
      'SIGUSR1',
      () => {
        save = true;
      },
    ],
  ]);
  for (const [signal, hear] of heard) process.on(signal, hear);
  return {
    stop: controller.signal,
    saveRequested: () => {
      const wanted = save;
      save = false;
      return wanted;
    },
    close: () => {
      for (const [signal, hear] of heard) process.off(signal, hear);
      if (code !== null) process.exitCode = code;
    },
  };
}
