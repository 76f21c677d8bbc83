/** The verbs of lvectl that print the policy's limits, which needs no agent. */
import { availableParallelism } from 'node:os';
import { limitNumbers } from '../../../agent/sampling/limit-numbers.ts';
import type { LimitValues } from '../../../limits/limit.ts';
import { givenLimits, type Tenant } from '../../../policy/policy.ts';
import { defaultsOf, valuesIn } from '../lve-edits.ts';
import type { LvectlCall, Verbs } from './call.ts';
import { failedReply, type LveReply } from './reply.ts';
import { readPolicy, type ReadPolicy } from '../lve-policy.ts';
import { lveRow, type LveRow } from '../rows.ts';

export const defaultId = 'default';
/** The name that `package-list` gives to the limits of tenants without a package. */
const defaultPackage = 'VE_DEFAULT';

/** The version of LVE whose fields the outputs have; it introduced operations a second. */
const lveVersion = '8';

export const readingVerbs: Verbs = {
  list: { words: '[ID]', does: 'show the limits of all tenants, by uid', run: listBy(uidOf) },
  'list-user': { words: '[NAME]', does: 'the same by account', run: listBy(accountOf) },
  limits: { words: '[ID]', does: 'the same as list', run: listBy(uidOf) },
  paneluserslimits: {
    words: '',
    does: 'show the limits of tenants that have an account',
    run: (call) => rows(call, (read, row) => tenantRows(withAccount(read), uidOf, row)),
  },
  'list-reseller': {
    words: '',
    does: 'show the limits of each reseller as a whole',
    run: (call) =>
      rows(call, ({ policy, document }, row) => [
        row(defaultId, defaultsOf(document)),
        ...policy.resellers.map((each) => row(uidOf(each), givenLimits(each))),
      ]),
  },
  'package-list': {
    words: '',
    does: 'show the limits of all packages',
    run: (call) =>
      rows(call, ({ document }, row) => [
        row(defaultPackage, defaultsOf(document)),
        ...document.packages.map((each) =>
          row(each.name.value, { ...defaultsOf(document), ...valuesIn(each) }),
        ),
      ]),
  },
  version: {
    words: '',
    does: 'show the version of Bulkhead',
    run: ({ version }) => ({ kind: 'text', text: `bulkhead ${version}` }),
  },
  'lve-version': {
    words: '',
    does: 'show the version of LVE whose output format is used; the kernel has no LVE',
    run: () => ({ kind: 'text', text: lveVersion }),
  },
};

type Who = Pick<Tenant, 'uid' | 'account'>;
type IdOf = (who: Who) => string;
type ToRow = (id: string, values: LimitValues) => LveRow;

function uidOf({ uid }: Who): string {
  return String(uid);
}

function accountOf({ uid, account }: Who): string {
  return account?.user ?? String(uid);
}

function rows(
  { options, paths, reader }: LvectlCall,
  list: (read: ReadPolicy, row: ToRow) => readonly LveRow[],
): LveReply {
  const read = readPolicy(reader, options.policy, paths);
  if (!read.ok) return failedReply(read.error);
  const cores = availableParallelism();
  const row: ToRow = (id, values) => lveRow(id, limitNumbers(values), cores);
  return { kind: 'rows', rows: list(read.value, row) };
}

const withAccount = ({ policy, document }: ReadPolicy): ReadPolicy => ({
  document,
  policy: { ...policy, tenants: policy.tenants.filter((each) => each.account !== undefined) },
});

const tenantRows = ({ policy, document }: ReadPolicy, idOf: IdOf, row: ToRow) => [
  row(defaultId, defaultsOf(document)),
  ...policy.tenants.map((each) => row(idOf(each), givenLimits(each))),
];

/** Lists all tenants, or the named one; an unknown one is a failure, not an empty list. */
function listBy(idOf: IdOf) {
  return (call: LvectlCall): LveReply => {
    const [asked] = call.words;
    const outcome = rows(call, (read, row) => tenantRows(read, idOf, row));
    if (asked === undefined || outcome.kind !== 'rows') return outcome;
    const found = outcome.rows.filter((each) => each.ID === asked);
    if (found.length > 0) return { kind: 'rows', rows: found };
    return failedReply([
      { action: 'list', object: asked, reason: 'the policy has no such tenant' },
    ]);
  };
}
