/** A client of FastCGI, as small as it can be: one request, and what was printed. Source: fastcgi.com/devkit/doc/fcgi-spec.html. */
import { connect } from 'node:net';
import { patienceMilliseconds } from '../../testing/patience.ts';

const types = { begin: 1, end: 3, params: 4, stdin: 5, stdout: 6, stderr: 7 } as const;

export interface Reply {
  /** The output, including the header. */
  readonly stdout: string;
  readonly stderr: string;
}

export function askFastCgi(
  socket: string,
  parameters: Readonly<Record<string, string>>,
  body = Buffer.alloc(0),
): Promise<Reply> {
  const request = Buffer.concat([
    record(types.begin, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0])),
    record(types.params, Buffer.concat(Object.entries(parameters).map(pair))),
    record(types.params, Buffer.alloc(0)),
    ...(body.length === 0 ? [] : [record(types.stdin, body)]),
    record(types.stdin, Buffer.alloc(0)),
  ]);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const connection = connect(socket);
    connection.setTimeout(patienceMilliseconds, () => connection.destroy(new Error('No answer')));
    connection.on('error', reject);
    connection.on('data', (chunk: Buffer) => chunks.push(chunk));
    connection.on('close', () => resolve(replyOf(Buffer.concat(chunks))));
    connection.write(request);
  });
}

function record(type: number, content: Buffer): Buffer {
  const header = Buffer.from([1, type, 0, 1, content.length >> 8, content.length & 0xff, 0, 0]);
  return Buffer.concat([header, content]);
}

function pair([name, value]: readonly [string, string]): Buffer {
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32BE((Buffer.byteLength(name) | 0x80000000) >>> 0, 0);
  lengths.writeUInt32BE((Buffer.byteLength(value) | 0x80000000) >>> 0, 4);
  return Buffer.concat([lengths, Buffer.from(name + value)]);
}

function replyOf(bytes: Buffer): Reply {
  const texts = { [types.stdout]: '', [types.stderr]: '' };
  for (let at = 0; at + 8 <= bytes.length;) {
    const type = bytes[at + 1] ?? 0;
    const length = bytes.readUInt16BE(at + 4);
    const content = bytes.subarray(at + 8, at + 8 + length);
    if (type === types.stdout || type === types.stderr) texts[type] += content.toString('latin1');
    at += 8 + length + (bytes[at + 6] ?? 0);
  }
  return { stdout: texts[types.stdout], stderr: texts[types.stderr] };
}
