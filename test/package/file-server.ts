/** Serves the files of a directory on loopback, in a process of its own: `node file-server.ts DIRECTORY`. */
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';

const [, , directory = '.'] = process.argv;

const server = createServer((request, response) => {
  const file = join(directory, normalize(decodeURI(request.url ?? '/')));
  const size = statSync(file, { throwIfNoEntry: false });
  if (size?.isFile() !== true) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { 'content-length': size.size });
  createReadStream(file).pipe(response);
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
