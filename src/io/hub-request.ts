import { BertgradError, DataError, InputError, IoError } from '../core/errors.js';
import type { HubSettings } from './hub-settings.js';

/** What a request may say besides its address. */
export interface RequestOptions {
  readonly method?: 'GET' | 'HEAD';
  /** First byte that is wanted; 0: all. */
  readonly from?: number;
}

/** An answer, and how to say that its bytes keep coming. */
export interface Answer {
  readonly response: Response;
  /** To be called with every piece: the connection is given up when none comes for a while. */
  alive(): void;
  close(): void;
}

/** Milliseconds without a byte after which a connection counts as lost. */
const PATIENCE = 30_000;
const MOST_REDIRECTS = 8;

/** Codes under which the hub explains a refusal (huggingface_hub/utils/_http.py). */
const explained = (response: Response): string =>
  response.headers.get('x-error-message') ?? response.headers.get('x-error-code') ?? `status ${response.status}`;

/** @throws what the hub refuses, in words */
function refuse(url: URL, response: Response): never {
  const { status } = response;
  const parts = { where: url.href, cause: response.status };
  if (status === 401 || status === 403) {
    throw new InputError(`the hub does not give access: ${explained(response)}`, {
      ...parts,
      code: 'HUB-ACCESS',
      fix: 'check the spelling; for a model that is private or asks for agreement, agree on its page and set HF_TOKEN',
    });
  }
  if (status === 404) {
    throw new InputError(`the hub has no such model, file or revision: ${explained(response)}`, {
      ...parts,
      code: 'HUB-MISSING',
      fix: 'check the spelling: org/name, or org/name@revision',
    });
  }
  throw new IoError(`the hub answers with an error: ${explained(response)}`, {
    ...parts,
    code: 'HUB-NETWORK',
    fix: 'try again later, or another address: HF_ENDPOINT',
  });
}

export function networkError(url: string, cause: unknown): BertgradError {
  if (cause instanceof BertgradError) return cause;
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const why = inner instanceof Error ? inner.message : String(inner);
  return new IoError(`the connection failed: ${why}`, {
    code: 'HUB-NETWORK',
    where: url,
    fix: 'try again: what has arrived is kept; without a network set HF_HUB_OFFLINE=1, or HF_ENDPOINT to a mirror',
    cause,
  });
}

function nextAddress(url: URL, response: Response): URL {
  const location = response.headers.get('location') ?? '';
  const next = URL.canParse(location, url) ? new URL(location, url) : null;
  const safe = next !== null && (next.protocol === url.protocol || next.protocol === 'https:');
  if (next !== null && safe) return next;
  throw new DataError(`the hub leads to ${JSON.stringify(location)}, which is no safe address`, {
    code: 'HUB-PROTOCOL',
    where: url.href,
    fix: 'check HF_ENDPOINT; the mirror may be broken',
  });
}

/** One client: remembers the settings, and how long it waits. */
export class HubClient {
  constructor(
    readonly settings: HubSettings,
    private readonly patience = PATIENCE,
  ) {}

  /**
   * Sends a request and follows where it leads. The token goes to the hub's own host alone.
   * @param headersOf sees each answer on the way, the hub's own first
   * @throws {InputError} no access, or not there; {IoError} the network
   */
  async send(path: string, options: RequestOptions = {}, headersOf?: (headers: Headers) => void): Promise<Answer> {
    const first = new URL(`${this.settings.endpoint}${path}`);
    let url = first;
    for (let step = 0; step <= MOST_REDIRECTS; step++) {
      const answer = await this.once(url, url.host === first.host, options);
      headersOf?.(answer.response.headers);
      const { status } = answer.response;
      if (status >= 200 && status < 300) return answer;
      if (status === 416) return answer; // nothing of what was asked for is left
      answer.close();
      if (status < 300 || status >= 400) refuse(url, answer.response);
      url = nextAddress(url, answer.response);
    }
    throw networkError(first.href, new Error(`more than ${MOST_REDIRECTS} redirections`));
  }

  private async once(url: URL, withToken: boolean, { method = 'GET', from = 0 }: RequestOptions): Promise<Answer> {
    const headers: Record<string, string> = { 'accept-encoding': 'identity', 'user-agent': 'bertgrad' };
    if (withToken && this.settings.token !== null) headers.authorization = `Bearer ${this.settings.token}`;
    if (from > 0) headers.range = `bytes=${from}-`;
    const controller = new AbortController();
    const giveUp = (): void => controller.abort(new Error(`no answer for ${this.patience / 1000} s`));
    let timer = setTimeout(giveUp, this.patience);
    const close = (): void => {
      clearTimeout(timer);
      controller.abort();
    };
    const alive = (): void => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, this.patience);
    };
    try {
      const response = await fetch(url, { method, headers, redirect: 'manual', signal: controller.signal });
      alive();
      return { response, alive, close };
    } catch (error) {
      close();
      throw networkError(url.href, error);
    }
  }

  /** A JSON answer of at most 16 MB. @throws as `send`; {DataError} it is no JSON */
  async json(path: string): Promise<string> {
    const answer = await this.send(path);
    try {
      const chunks: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of answer.response.body ?? []) {
        answer.alive();
        size += chunk.length;
        if (size > 16e6) throw new DataError(`${path}: a list of more than 16 MB`, { code: 'HUB-PROTOCOL' });
        chunks.push(chunk);
      }
      return Buffer.concat(chunks).toString('utf8');
    } catch (error) {
      throw networkError(`${this.settings.endpoint}${path}`, error);
    } finally {
      answer.close();
    }
  }
}
