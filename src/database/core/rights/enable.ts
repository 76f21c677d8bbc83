/**
 * The plan of `bulkhead db enable`: the statements that a server still lacks, each of which can be repeated. A run that
 * was killed is completed by the next one.
 */
import { printable } from '../../../../packages/base/printable.ts';
import type { Cause } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import {
  definer,
  definerAccess,
  definerAccount,
  procedureStatement,
  schemaComment,
  schemaName,
  viewStatement,
  worker,
  workerAccess,
  workerAccount,
} from './enable-sql.ts';

/** One of Bulkhead's accounts, as a server has it. */
export interface OwnAccount {
  /** Its global privileges; undefined if they are not a number. */
  readonly access: bigint | undefined;
  readonly plugin: string;
  readonly isLocked: boolean;
}

/** The state of a server, as root sees it. */
export interface ServerFacts {
  readonly version: string;
  /** Whether accounts can log in by the uid of their process. */
  readonly hasUnixSocket: boolean;
  readonly isReadOnly: boolean;
  readonly isReplica: boolean;
  /** Whether the server counts what each account uses. */
  readonly hasUserstat: boolean;
  readonly worker: OwnAccount | undefined;
  readonly definer: OwnAccount | undefined;
  /** `foreign`: it is there, and has another comment or other things than ours. */
  readonly schema: 'absent' | 'ours' | 'foreign';
  /** Accounts that have rights in a schema of our name. */
  readonly strangers: readonly string[];
  readonly hasView: boolean;
  readonly hasProcedure: boolean;
  /** Rights of ours to single tables and routines: `bulkhead-db EXECUTE bulkhead.cap`. */
  readonly grants: ReadonlySet<string>;
}

export interface EnableStep {
  /** The change, for people. */
  readonly text: string;
  readonly sql: string;
}

export interface EnableOptions {
  /** Whether an earlier run of ours may have made the accounts: there is a record of it. */
  readonly isOurs: boolean;
  /** The hash of the worker's password, for a server without unix_socket: `*` and 40 hexadecimal digits. */
  readonly passwordHash?: string;
}

const objectRights: readonly (readonly [account: string, right: string, object: string])[] = [
  [definerAccount, 'SELECT', 'mysql.global_priv'],
  [definerAccount, 'SELECT', 'mysql.roles_mapping'],
  [definerAccount, 'SELECT', 'mysql.db'],
  [definerAccount, 'EXECUTE', `${schemaName}.cap`],
  [workerAccount, 'SELECT', `${schemaName}.accounts`],
  [workerAccount, 'EXECUTE', `${schemaName}.cap`],
];

/** Returns the statements that are missing, in their order; none if everything is there. */
export function planEnable(
  facts: ServerFacts,
  options: EnableOptions,
): Result<readonly EnableStep[], Cause> {
  const obstacle = obstacleOf(facts, options);
  if (obstacle !== undefined) return fail(obstacle);
  // To take rights away from an account takes these away, too.
  const bare = new Set([
    ...(hasTooMuch(facts.worker, workerAccess) ? [workerAccount] : []),
    ...(hasTooMuch(facts.definer, definerAccess) ? [definerAccount] : []),
  ]);
  const rights = objectRights.flatMap(([account, right, object]) => {
    const isThere = facts.grants.has(`${account} ${right} ${object}`) && !bare.has(account);
    return isThere ? [] : [grantStep(account, right, object)];
  });
  const [tables, own] = [true, false].map((wanted) =>
    rights.filter(({ sql }) => sql.includes(' ON mysql.') === wanted),
  ) as [EnableStep[], EnableStep[]];
  return ok([
    ...definerSteps(facts),
    ...tables,
    ...schemaSteps(facts),
    ...workerSteps(facts, options),
    ...own,
    ...(facts.hasUserstat
      ? []
      : [
          {
            text: 'counts what each account uses: userstat = 1',
            sql: 'SET GLOBAL userstat = 1',
          },
        ]),
  ]);
}

/** Returns what an administrator must know, though it does not prevent anything. */
export function enableRemarks({ isReadOnly, isReplica }: ServerFacts): readonly string[] {
  const effect = 'the numbers of connections of its accounts cannot be set here';
  return [
    ...(isReadOnly ? [`the server is read-only: ${effect}`] : []),
    ...(isReplica && !isReadOnly
      ? [
          'the server is a replica: numbers of connections that are set here stay here, and its primary may overwrite them',
        ]
      : []),
  ];
}

/** The first release that has the single privileges, in place of SUPER. */
const oldest: readonly [number, number] = [10, 5];

function obstacleOf(facts: ServerFacts, options: EnableOptions): Cause | undefined {
  const { version, schema, strangers, worker: account, definer: other } = facts;
  const [, major, minor] = /^(\d+)\.(\d+)\./.exec(version) ?? [];
  if (!/mariadb/i.test(version) || major === undefined)
    return { reason: `it is not MariaDB, but "${printable(version)}"` };
  if (Number(major) < oldest[0] || (Number(major) === oldest[0] && Number(minor) < oldest[1]))
    return {
      reason: `MariaDB ${major}.${minor} can only give all rights at once`,
      hint: `use ${oldest.join('.')} or later`,
    };
  if (!facts.hasUnixSocket && options.passwordHash === undefined)
    return {
      reason: 'its plugin unix_socket is not active',
      hint: `name a file with the password of "${workerAccount}": --credentials FILE`,
    };
  if (schema === 'foreign')
    return {
      reason: `it has a schema "${schemaName}" that Bulkhead did not make, or with something else in it`,
      hint: 'rename that schema',
    };
  if (strangers.length > 0)
    return {
      reason: `other accounts have rights in the schema "${schemaName}": ${strangers.slice(0, 5).map(printable).join(', ')}`,
      hint: 'revoke them first',
    };
  const found = [account && workerAccount, other && definerAccount].find(
    (each) => each !== undefined,
  );
  return options.isOurs || found === undefined
    ? undefined
    : {
        reason: `it has an account "${found}" that is in no record of Bulkhead's`,
        hint: `if nothing else needs it: DROP USER \`${found}\`@localhost`,
      };
}

const noLogin = 'IDENTIFIED VIA unix_socket ACCOUNT LOCK';
/** No password has this hash. */
const noLoginByPassword = "IDENTIFIED VIA mysql_native_password USING 'invalid' ACCOUNT LOCK";

function definerSteps({ definer: now, hasUnixSocket }: ServerFacts): readonly EnableStep[] {
  const login = hasUnixSocket ? noLogin : noLoginByPassword;
  const made = {
    text: `makes the account "${definerAccount}", as which nobody can log in`,
    sql: `CREATE USER IF NOT EXISTS ${definer} ${login}`,
  };
  const locked = {
    text: `locks the account "${definerAccount}"`,
    sql: `ALTER USER ${definer} ${login}`,
  };
  return [
    ...(now === undefined ? [made] : []),
    ...(now?.isLocked === false ? [locked] : []),
    ...accessSteps(definerAccount, definer, now, {
      access: definerAccess,
      names: 'CREATE USER, BINLOG ADMIN',
      purpose: 'for the procedure below',
    }),
  ];
}

function workerSteps(
  { worker: now, hasUnixSocket }: ServerFacts,
  { passwordHash = '' }: EnableOptions,
): readonly EnableStep[] {
  const plugin = hasUnixSocket ? 'unix_socket' : 'mysql_native_password';
  const login = hasUnixSocket
    ? 'IDENTIFIED VIA unix_socket'
    : `IDENTIFIED VIA mysql_native_password USING '${passwordHash}'`;
  const who = hasUnixSocket ? `processes of the user "${workerAccount}"` : 'its password';
  const made = {
    text: `makes the account "${workerAccount}", for ${who}`,
    sql: `CREATE USER IF NOT EXISTS ${worker} ${login}`,
  };
  const changed = {
    text: `has the account "${workerAccount}" log in by ${plugin} only`,
    sql: `ALTER USER ${worker} ${login}`,
  };
  return [
    ...(now === undefined ? [made] : []),
    ...(now !== undefined && (now.plugin !== plugin || !hasUnixSocket) ? [changed] : []),
    ...accessSteps(workerAccount, worker, now, {
      access: workerAccess,
      names: 'PROCESS, CONNECTION ADMIN',
      purpose: 'it sees statements and connections, and ends them',
    }),
  ];
}

interface WantedAccess {
  readonly access: bigint;
  readonly names: string;
  readonly purpose: string;
}

const hasTooMuch = (now: OwnAccount | undefined, access: bigint): boolean =>
  now !== undefined && (now.access === undefined || (now.access & ~access) !== 0n);

function accessSteps(
  account: string,
  quoted: string,
  now: OwnAccount | undefined,
  { access, names, purpose }: WantedAccess,
): readonly EnableStep[] {
  if (now?.access === access) return [];
  return [
    ...(hasTooMuch(now, access)
      ? [
          {
            text: `takes all other rights from "${account}"`,
            sql: `REVOKE ALL PRIVILEGES, GRANT OPTION FROM ${quoted}`,
          },
        ]
      : []),
    {
      text: `gives "${account}" ${names}: ${purpose}`,
      sql: `GRANT ${names} ON *.* TO ${quoted}`,
    },
  ];
}

function schemaSteps({ schema, hasView, hasProcedure }: ServerFacts): readonly EnableStep[] {
  return [
    ...(schema === 'absent'
      ? [
          {
            text: `makes the schema "${schemaName}"`,
            sql: `CREATE SCHEMA IF NOT EXISTS \`${schemaName}\` COMMENT '${schemaComment}'`,
          },
        ]
      : []),
    ...(hasView && hasProcedure
      ? []
      : [
          {
            text: `makes the view "${schemaName}.accounts": names and numbers of accounts, without passwords`,
            sql: viewStatement,
          },
          {
            text: `makes the procedure "${schemaName}.cap(account, host, connections)", which sets MAX_USER_CONNECTIONS of an account without global privileges`,
            sql: procedureStatement,
          },
        ]),
  ];
}

function grantStep(account: string, right: string, object: string): EnableStep {
  const [schema = '', name = ''] = object.split('.');
  const kind = right === 'EXECUTE' ? 'PROCEDURE ' : '';
  const place = schema === schemaName ? `\`${schema}\`` : schema;
  return {
    text: `gives "${account}" ${right} on ${object}`,
    sql: `GRANT ${right} ON ${kind}${place}.${name} TO ${account === workerAccount ? worker : definer}`,
  };
}

const drop = (what: string, sql: string): EnableStep => ({ text: `removes ${what}`, sql });

export const dropWorker = drop(`the account "${workerAccount}"`, `DROP USER IF EXISTS ${worker}`);

/** Returns the statements that remove what belongs to the account of the view and the procedure, and this account. */
export function dropDefined(
  facts: Pick<ServerFacts, 'schema' | 'hasView' | 'hasProcedure'> & { readonly definer: unknown },
): readonly EnableStep[] {
  const own = facts.schema !== 'absent';
  return [
    ...(own && facts.hasProcedure
      ? [drop('the procedure', `DROP PROCEDURE IF EXISTS \`${schemaName}\`.cap`)]
      : []),
    ...(own && facts.hasView
      ? [drop('the view', `DROP VIEW IF EXISTS \`${schemaName}\`.accounts`)]
      : []),
    ...(facts.schema === 'ours'
      ? [drop(`the schema "${schemaName}"`, `DROP SCHEMA IF EXISTS \`${schemaName}\``)]
      : []),
    ...(facts.definer === undefined
      ? []
      : [drop(`the account "${definerAccount}"`, `DROP USER IF EXISTS ${definer}`)]),
  ];
}

/**
 * Returns the statements that undo everything but numbers of connections. The worker loses its rights first, so that
 * nothing sets a number while numbers are set back.
 */
export function planDisable(
  facts: Pick<ServerFacts, 'worker' | 'definer' | 'schema' | 'hasView' | 'hasProcedure'>,
): {
  readonly before: readonly EnableStep[];
  readonly after: readonly EnableStep[];
} {
  return {
    before:
      facts.worker === undefined
        ? []
        : [
            { text: `ends the connections of "${workerAccount}"`, sql: `KILL USER ${worker}` },
            dropWorker,
          ],
    after: dropDefined(facts),
  };
}
