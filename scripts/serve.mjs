// A folder as a site on loopback, for pages that are tested, measured or looked at.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.map': 'application/json', '.txt': 'text/plain' };

/** Serves the files of a folder to this machine alone. */
export function serve(folder, port = 0) {
  const server = createServer((request, response) => {
    const name = new URL(request.url, 'http://page').pathname.slice(1) || 'index.html';
    try {
      if (name === 'favicon.ico') response.writeHead(204).end();
      else if (!/^[\w.-]+$/.test(name)) response.writeHead(404).end();
      else {
        const body = readFileSync(join(folder, name));
        response.writeHead(200, { 'content-type': `${TYPES[extname(name)] ?? 'text/plain'}; charset=utf-8` }).end(body);
      }
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const close = () => new Promise((done) => server.close(done));
      resolve({ url: `http://127.0.0.1:${server.address().port}`, close });
    });
  });
}
