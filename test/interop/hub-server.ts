import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const COMMIT = 'c0ffee'.padEnd(40, '0');

/** How the server misbehaves. */
export interface Mischief {
  /** Bytes of each answer after which the connection is cut. */
  cutAfter?: number;
  /** Whether ranges are passed over, and everything is sent. */
  noRanges?: boolean;
  /** Bytes are changed on the way. */
  garble?: boolean;
  /** More bytes are sent than there are. */
  tooMany?: boolean;
  /** The list says nothing of contents, as some mirrors do. */
  bareList?: boolean;
  /** The connection stays open and says nothing. */
  silent?: boolean;
  /** Where contents are said to be. */
  redirect?: string;
  status?: number;
}

/** A hub on this machine: the list of a model, its files by a redirection to another host, ranges, tokens, and mischief. */
export class HubServer {
  readonly requests: {
    method: string;
    url: string;
    range: string | undefined;
    token: string | undefined;
    host: string | undefined;
  }[] = [];
  mischief: Mischief = {};
  token: string | null = null;
  private readonly server: Server;

  constructor(
    private readonly repo: string,
    private readonly files: ReadonlyMap<string, Buffer>,
  ) {
    this.server = createServer((request, response) => void this.answer(request, response));
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${this.port}`;
  }

  stop(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  private answer(request: IncomingMessage, response: ServerResponse): unknown {
    const { method = '', url = '', headers } = request;
    this.requests.push({ method, url, range: headers.range, token: headers.authorization, host: headers.host });
    if (this.mischief.silent === true) return null;
    const content = /^\/cdn\/(.+)$/.exec(url);
    if (content !== null) return this.content(request, response, content[1]);
    if (this.mischief.status !== undefined) return response.writeHead(this.mischief.status).end();
    if (this.token !== null && headers.authorization !== `Bearer ${this.token}`)
      return response.writeHead(401, { 'x-error-code': 'GatedRepo' }).end();
    if (url.startsWith(`/api/models/old/name/`)) {
      return response.writeHead(307, { location: url.replace('old/name', this.repo) }).end();
    }
    if (url.startsWith(`/api/models/${this.repo}/revision/main`)) return response.end(JSON.stringify(this.list()));
    const file = new RegExp(`^/${this.repo}/resolve/${COMMIT}/(.+)$`).exec(url)?.[1];
    const found = file === undefined ? undefined : this.files.get(file);
    if (file === undefined || found === undefined)
      return response
        .writeHead(404, { 'x-error-code': 'RepoNotFound', 'x-error-message': 'Repository not found' })
        .end();
    // As for a large file: etag and size of the content, which lies on another host.
    const location = this.mischief.redirect ?? `http://localhost:${this.port}/cdn/${file}`;
    const linked = { 'x-linked-etag': `"${etagOf(found)}"`, 'x-linked-size': `${found.length}` };
    return response.writeHead(302, { location, ...linked }).end();
  }

  private list(): object {
    const siblings = Array.from(this.files, ([rfilename, bytes]) => {
      if (this.mischief.bareList === true) return { rfilename };
      if (bytes.length < 1000) return { rfilename, size: bytes.length, blobId: blobId(bytes) };
      return {
        rfilename,
        size: bytes.length,
        blobId: 'f'.repeat(40),
        lfs: { sha256: etagOf(bytes), size: bytes.length, pointerSize: 134 },
      };
    });
    return { id: this.repo, sha: COMMIT, siblings };
  }

  private content({ headers, method }: IncomingMessage, response: ServerResponse, name: string): unknown {
    const { cutAfter, noRanges, garble, tooMany } = this.mischief;
    const whole = this.files.get(name) as Buffer;
    const from = noRanges === true ? 0 : Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
    if (from >= whole.length && from > 0) return response.writeHead(416).end();
    let bytes = Buffer.from(whole.subarray(from));
    if (garble === true) bytes[bytes.length - 1] ^= 1;
    if (tooMany === true) bytes = Buffer.concat([bytes, Buffer.alloc(10)]);
    const range = from > 0 ? { 'content-range': `bytes ${from}-${whole.length - 1}/${whole.length}` } : {};
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': bytes.length, ...range });
    if (method === 'HEAD') return response.end();
    if (cutAfter === undefined || bytes.length <= cutAfter) return response.end(bytes);
    return response.write(bytes.subarray(0, cutAfter), () => setTimeout(() => response.destroy(), 20));
  }
}

const etagOf = (bytes: Buffer): string =>
  bytes.length < 1000 ? blobId(bytes) : createHash('sha256').update(bytes).digest('hex');
/** git's name of a file's content. */
const blobId = (bytes: Buffer): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
