export interface Served {
  readonly url: string;
  close(): Promise<void>;
}
export interface Site extends Served {
  /** Holds bertgrad.js, bertgrad.min.js and the page. */
  readonly folder: string;
  /** Source files that bertgrad.js is made of. */
  readonly inputs: readonly string[];
}
export function serve(folder: string, port?: number): Promise<Served>;
export function openSite(port?: number): Promise<Site>;
