/**
 * A tenant's client of a database: connections that do one kind of work, at their own pace or as fast as they can. At
 * its end it prints a line of JSON: how often it worked, and the latencies in milliseconds.
 *
 *     node load-client.ts SOCKET USER DATABASE WORK CONNECTIONS SECONDS EVERY
 *
 * EVERY is in milliseconds; 0 is without pause. A latency counts from when the work was due, so that work which waits for
 * other work counts in full, and never from a time at which nothing had begun.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { connectDatabase, type DatabaseConnection } from '../../src/database/io/client/connect.ts';
import { formatProblem } from '../../packages/base/problem.ts';

const [, , socket = '', user = '', database = '', work = '', connections, seconds, every] =
  process.argv;
const end = performance.now() + Number(seconds) * 1_000;
const pause = Number(every);
const latencies: number[] = [];
let errors = 0;
let message = '';
const rows = 20_000;
const anyRow = () => 1 + Math.floor(Math.random() * rows);
const patience = { replyMilliseconds: 600_000 };

const statements: Readonly<Record<string, (connection: number) => readonly string[]>> = {
  cheapest: () => ['DO 0'],
  point: () => [`SELECT c FROM ${database}.t WHERE id=${anyRow()}`],
  scan: () => [`SELECT SUM(CRC32(CONCAT(c, pad))) FROM ${database}.t`],
  update: () => [`UPDATE ${database}.t SET k=k+1 WHERE id=${anyRow()}`],
  insert: () => [
    `INSERT INTO ${database}.journal(v) VALUES(REPEAT('x', ${200 + (anyRow() % 800)}))`,
  ],
  prepared: () => [
    `PREPARE s FROM 'SELECT SUM(CRC32(c)) FROM ${database}.t'`,
    'EXECUTE s',
    'DEALLOCATE PREPARE s',
  ],
  routine: () => [`CALL ${database}.work()`],
  ddl: (at) => [
    `CREATE TABLE ${database}.d${at}(a INT PRIMARY KEY, b VARCHAR(20), KEY(b)) ENGINE=InnoDB`,
    `DROP TABLE ${database}.d${at}`,
  ],
};

async function open(): Promise<DatabaseConnection> {
  for (;;) {
    const opened = await connectDatabase(socket, { user }, patience);
    if (opened.ok) return opened.value;
    note(formatProblem(opened.error));
    await sleep(20);
  }
}

function note(text: string): void {
  errors++;
  message = text;
}

async function ask(connection: DatabaseConnection, all: readonly string[]): Promise<void> {
  for (const each of all) {
    const answer = await connection.query(each);
    if (!answer.ok) note(formatProblem(answer.error));
  }
}

/** A page of PHP: connects, asks, and closes. */
async function page(): Promise<void> {
  const connection = await open();
  const points = Array.from({ length: 20 }, () => statements['point']?.(0) ?? []).flat();
  await ask(connection, [...points, ...(statements['update']?.(0) ?? [])]);
  connection.close();
}

/** Timers know whole milliseconds: they may come so much early or late by themselves. */
const timerMilliseconds = 1;

/** Waits until the work is due. Returns the time from which its latency counts. */
async function begin(due: number): Promise<number> {
  const left = due - performance.now();
  if (left <= 0) return due;
  await sleep(left);
  return Math.min(performance.now(), due + timerMilliseconds);
}

async function run(at: number): Promise<void> {
  let connection = work === 'page' ? undefined : await open();
  let due = performance.now() + Math.random() * pause;
  while (performance.now() < end) {
    const began = pause > 0 ? await begin(due) : performance.now();
    due += pause;
    if (connection === undefined) await page();
    else {
      if (!connection.isOpen) connection = await open();
      await ask(connection, statements[work]?.(at) ?? []);
    }
    latencies.push(performance.now() - began);
  }
  connection?.close();
}

await Promise.all(Array.from({ length: Number(connections) }, (_, at) => run(at)));
latencies.sort((a, b) => a - b);
const at = (part: number) => latencies[Math.floor((latencies.length - 1) * part)] ?? 0;
const result = { n: latencies.length, errors, message, p50: at(0.5), p99: at(0.99), max: at(1) };
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
