/** How a connection begins. Source: PostgreSQL's manual, "Message Flow", "Start-up" and "SASL Authentication". */
import { fail, ok, type Result } from '../../../../../packages/base/result.ts';
import type { DatabaseFailure } from '../failure.ts';
import { notPostgresql, readServerFailure } from './failure.ts';
import { MessageFields } from './fields.ts';
import { textOf, type Message } from './messages.ts';

const protocolVersion = 196_608; // 3.0
/** The database in which the schema of Bulkhead is. Accounts are the same in each. */
export const databaseName = 'postgres';

/**
 * Settings of the session. No text is converted: another database's text can be in an encoding that cannot be converted,
 * and a tenant must not be able to make a look fail.
 */
const settings: Readonly<Record<string, string>> = {
  client_encoding: 'SQL_ASCII',
  application_name: 'bulkhead',
  search_path: 'pg_catalog',
  standard_conforming_strings: 'on',
  // A tenant can keep its own role locked. Whoever waits for it must go on before the time of a reply is over.
  lock_timeout: '500',
};

/** Returns the client's first message, which has no letter. */
export function startupOf(user: string): Uint8Array {
  const pairs = Object.entries({ user, database: databaseName, ...settings }).flat();
  const content = [...pairs.flatMap((each) => [...textOf(each)]), 0];
  const head = new DataView(new ArrayBuffer(8));
  head.setInt32(0, head.byteLength + content.length);
  head.setInt32(4, protocolVersion);
  return new Uint8Array([...new Uint8Array(head.buffer), ...content]);
}

/** The next step of a login. */
export type StartupStep =
  | { readonly kind: 'wait' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'version'; readonly version: string }
  | { readonly kind: 'md5'; readonly salt: Uint8Array }
  | { readonly kind: 'scram' }
  | { readonly kind: 'scram continue' | 'scram final'; readonly text: string };

export const scramMechanism = 'SCRAM-SHA-256';

export function readStartupStep({ kind, content }: Message): Result<StartupStep, DatabaseFailure> {
  if (kind === 'E') return fail(readServerFailure(content).failure);
  if (kind === 'Z') return ok({ kind: 'ready' });
  if (kind === 'S') return ok(readSetting(content));
  if (kind === 'R') return readRequest(content);
  // The key of the connection, notices, and a protocol version that the server lowers.
  return 'KNv'.includes(kind)
    ? ok({ kind: 'wait' })
    : fail(notPostgresql('an answer to the login'));
}

function readSetting(content: Uint8Array): StartupStep {
  const fields = new MessageFields(content);
  const [name, value] = [fields.zeroTerminated(), fields.zeroTerminated()];
  return name === 'server_version' && value !== undefined
    ? { kind: 'version', version: value }
    : { kind: 'wait' };
}

function readRequest(content: Uint8Array): Result<StartupStep, DatabaseFailure> {
  const fields = new MessageFields(content);
  const request = fields.integer(4);
  const rest = fields.rest() ?? new Uint8Array();
  const text = new TextDecoder().decode(rest);
  if (request === undefined) return fail(notPostgresql('an answer to the login'));
  switch (request) {
    case 0:
      return ok({ kind: 'wait' });
    case 5:
      return rest.length === 4
        ? ok({ kind: 'md5', salt: rest })
        : fail(notPostgresql('an answer to the login'));
    case 10:
      return text.split('\0').includes(scramMechanism) ? ok({ kind: 'scram' }) : unsupported();
    case 11:
      return ok({ kind: 'scram continue', text });
    case 12:
      return ok({ kind: 'scram final', text });
    default:
      return unsupported();
  }
}

const unsupported = () =>
  fail({
    reason: 'the server asks for a way to log in that is not supported',
    hint: 'in pg_hba.conf, use peer, scram-sha-256 or md5 for this account',
  });
