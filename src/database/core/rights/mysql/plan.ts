/** The statements that are missing in a MySQL server for Bulkhead's rights, and those that undo them. */
import type { Cause } from '../../../../../packages/base/problem.ts';
import { printable } from '../../../../../packages/base/printable.ts';
import { fail, ok, type Result } from '../../../../../packages/base/result.ts';
import { dropDefined, dropWorker, type EnableStep } from '../enable.ts';
import { definer, definerAccount, schemaName, worker, workerAccount } from '../enable-sql.ts';
import {
  consumerStatement,
  definerRights,
  definerTables,
  passwordLiteral,
  procedureStatement,
  viewStatement,
  workerRights,
  workerTables,
} from './sql.ts';

/** The parts of Bulkhead that a server has. */
export interface MysqlFacts {
  readonly version: string;
  readonly hasAuthSocket: boolean;
  readonly hasCpuTime: boolean;
  readonly isCounting: boolean;
  readonly worker: MysqlAccount | undefined;
  readonly definer: MysqlAccount | undefined;
  readonly schema: 'absent' | 'ours' | 'foreign';
  readonly strangers: readonly string[];
  readonly hasView: boolean;
  readonly hasProcedure: boolean;
  /** Rights of ours to single tables and routines: `bulkhead-db EXECUTE bulkhead.cap`. */
  readonly grants: ReadonlySet<string>;
  /** Connections of the worker. */
  readonly connections: readonly number[];
}

export interface MysqlAccount {
  readonly plugin: string;
  readonly isLocked: boolean;
  readonly rights: readonly string[];
}

export interface MysqlOptions {
  readonly isOurs: boolean;
  readonly password?: string;
}

const objectRights = [
  ...definerTables.map((table) => [definerAccount, 'SELECT', table] as const),
  [definerAccount, 'SELECT', `${schemaName}.accounts`],
  [definerAccount, 'EXECUTE', `${schemaName}.cap`],
  ...workerTables.map((table) => [workerAccount, 'SELECT', table] as const),
  [workerAccount, 'SELECT', `${schemaName}.accounts`],
  [workerAccount, 'EXECUTE', `${schemaName}.cap`],
] as const;

export function planMysql(
  facts: MysqlFacts,
  options: MysqlOptions,
): Result<readonly EnableStep[], Cause> {
  const obstacle = obstacleOf(facts, options);
  if (obstacle !== undefined) return fail(obstacle);
  // To take rights away from an account takes these away, too.
  const bare = new Set([
    ...(surplusOf(facts.worker, workerRights).length > 0 ? [workerAccount] : []),
    ...(surplusOf(facts.definer, definerRights).length > 0 ? [definerAccount] : []),
  ]);
  const rights = objectRights
    .filter(
      ([account, right, object]) =>
        !facts.grants.has(`${account} ${right} ${object}`) || bare.has(account),
    )
    .map(([account, right, object]) => grantStep(account, right, object));
  const isEarly = ({ sql }: EnableStep) => !sql.includes(`\`${schemaName}\`.`);
  return ok([
    ...accountSteps(definerAccount, facts.definer, 'ACCOUNT LOCK', definerRights),
    ...accountSteps(workerAccount, facts.worker, loginOf(options), workerRights),
    ...rights.filter(isEarly),
    ...schemaSteps(facts),
    ...rights.filter((each) => !isEarly(each)),
    ...(facts.isCounting
      ? []
      : [
          {
            text: 'counts the CPU time of statements: events_statements_cpu',
            sql: consumerStatement('YES'),
          },
        ]),
  ]);
}

const loginOf = ({ password }: MysqlOptions) =>
  password === undefined
    ? 'IDENTIFIED WITH auth_socket'
    : `IDENTIFIED WITH caching_sha2_password BY ${passwordLiteral(password)}`;

function obstacleOf(facts: MysqlFacts, options: MysqlOptions): Cause | undefined {
  const { version, hasAuthSocket, hasCpuTime, schema, strangers } = facts;
  if (!hasCpuTime)
    return {
      reason: `"${printable(version)}" does not count the CPU time of statements`,
      hint: 'use MySQL or Percona Server 8.0.28 or later, with performance_schema = ON',
    };
  if (!hasAuthSocket && options.password === undefined)
    return {
      reason: 'its plugin auth_socket is not active',
      hint: `run: INSTALL PLUGIN auth_socket SONAME 'auth_socket.so', or name a file with the password of "${workerAccount}": --credentials FILE`,
    };
  if (schema === 'foreign' || (schema === 'ours' && !options.isOurs && !facts.hasView))
    return {
      reason: `it has a schema "${schemaName}" that Bulkhead did not make, or with something else in it`,
      hint: 'rename that schema',
    };
  if (strangers.length > 0)
    return {
      reason: `other accounts have rights in the schema "${schemaName}": ${strangers.slice(0, 5).map(printable).join(', ')}`,
      hint: 'revoke them first',
    };
  const found = [facts.worker && workerAccount, facts.definer && definerAccount].find(
    (each) => each !== undefined,
  );
  return options.isOurs || found === undefined
    ? undefined
    : {
        reason: `it has an account "${found}" that is in no record of Bulkhead's`,
        hint: `if nothing else needs it: DROP USER \`${found}\`@localhost`,
      };
}

const surplusOf = (account: MysqlAccount | undefined, wanted: readonly string[]) =>
  (account?.rights ?? []).filter((each) => !wanted.includes(each));

function accountSteps(
  account: typeof workerAccount | typeof definerAccount,
  now: MysqlAccount | undefined,
  login: string,
  wanted: readonly string[],
): readonly EnableStep[] {
  const name = account === workerAccount ? worker : definer;
  const isAsWanted =
    account === definerAccount
      ? now?.isLocked === true
      : now?.plugin === 'auth_socket' && login.endsWith('auth_socket');
  const surplus = surplusOf(now, wanted);
  const missing = wanted.filter((each) => now?.rights.includes(each) !== true);
  const gives = surplus.length > 0 ? wanted : missing;
  return [
    ...(now === undefined
      ? [
          {
            text: `makes the account "${account}"${account === definerAccount ? ', as which nobody can log in' : ''}`,
            sql: `CREATE USER IF NOT EXISTS ${name} ${login}`,
          },
        ]
      : []),
    ...(now !== undefined && !isAsWanted
      ? [{ text: `sets how "${account}" logs in`, sql: `ALTER USER ${name} ${login}` }]
      : []),
    ...(surplus.length > 0
      ? [
          {
            text: `takes all other rights from "${account}"`,
            sql: `REVOKE ALL PRIVILEGES, GRANT OPTION FROM ${name}`,
          },
        ]
      : []),
    ...(gives.length > 0
      ? [
          {
            text: `gives "${account}" ${gives.join(', ')}`,
            sql: `GRANT ${gives.join(', ')} ON *.* TO ${name}`,
          },
        ]
      : []),
  ];
}

function grantStep(account: string, right: string, object: string): EnableStep {
  const [schema = '', name = ''] = object.split('.');
  const kind = right === 'EXECUTE' ? 'PROCEDURE ' : '';
  const place = schema === schemaName ? `\`${schema}\`` : schema;
  const to = account === workerAccount ? worker : definer;
  return {
    text: `gives "${account}" ${right} on ${object}`,
    sql: `GRANT ${right} ON ${kind}${place}.${name} TO ${to}`,
  };
}

function schemaSteps({ schema, hasView, hasProcedure }: MysqlFacts): readonly EnableStep[] {
  const text = `makes the procedure "${schemaName}.cap(account, host, connections)", which sets MAX_USER_CONNECTIONS of an account without global privileges`;
  return [
    ...(schema === 'absent'
      ? [
          {
            text: `makes the schema "${schemaName}"`,
            sql: `CREATE SCHEMA IF NOT EXISTS \`${schemaName}\``,
          },
        ]
      : []),
    ...(hasView
      ? []
      : [
          {
            text: `makes the view "${schemaName}.accounts": names and numbers of accounts, without passwords`,
            sql: viewStatement,
          },
        ]),
    ...(hasProcedure
      ? []
      : [
          {
            text: 'removes a procedure of another version',
            sql: `DROP PROCEDURE IF EXISTS \`${schemaName}\`.cap`,
          },
          { text, sql: procedureStatement },
        ]),
  ];
}

/** Returns the statements that undo everything but numbers of connections. */
export function planMysqlUndo(
  facts: MysqlFacts,
  wasCounting: boolean,
): { readonly before: readonly EnableStep[]; readonly after: readonly EnableStep[] } {
  return {
    before:
      facts.worker === undefined
        ? []
        : [
            dropWorker,
            ...facts.connections.map((id) => ({
              text: `ends a connection of "${workerAccount}"`,
              sql: `KILL CONNECTION ${id}`,
            })),
          ],
    after: [
      ...dropDefined(facts),
      ...(!wasCounting && facts.isCounting
        ? [
            {
              text: 'no longer counts the CPU time of statements',
              sql: consumerStatement('NO'),
            },
          ]
        : []),
    ],
  };
}
