/** Entries at the web servers, and suexec, as layers of protection. */
import type { Layer } from '../../../packages/base/layer.ts';
import { because } from '../../../packages/base/layer-texts.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { observesLimits, onlyObserved, type Policy } from '../../policy/policy.ts';
import type { ServerEntries } from '../io/entries/server-entries.ts';
import { readSuexecState } from '../io/suexec/suexec-state.ts';
import { planAll } from './entries/plans.ts';
import { findServers, hasServer, refusedServer, sessionOf } from './entries/session.ts';

const key = 'limit entries';
const enable = 'bulkhead web entries enable';
const sync = 'bulkhead web entries sync';
const differ = because('files differ');

export async function webLayers(context: EntryPathContext): Promise<readonly Layer[]> {
  return [...suexecLayers(context), ...(await entriesLayers(context))];
}

/** Returns the layer of suexec where it is or was enabled; the entry path of CGI counts the sites. */
function suexecLayers({ paths }: EntryPathContext): readonly Layer[] {
  const { state, reason = '', program = '' } = readSuexecState(paths);
  const layer = { key: 'web suexec' };
  if (state === 'damaged')
    return [{ ...layer, state: 'partly', reason, improve: 'bulkhead web suexec enable' }];
  return state === 'enabled'
    ? [{ ...layer, state: 'enforced', ...because('before', program) }]
    : [];
}

async function entriesLayers({ paths, policy }: EntryPathContext): Promise<readonly Layer[]> {
  if (process.geteuid?.() !== 0)
    return [{ key, state: 'unknown', ...because('web server for root') }];
  const programs = findServers(paths);
  const refused = refusedServer(programs);
  if (!hasServer(programs))
    return refused === undefined ? [] : [{ key, state: 'unavailable', reason: refused }];
  if (policy === undefined)
    return [{ key, state: 'open', ...because('no policy'), improve: 'bulkhead setup' }];
  const session = await sessionOf(paths, policy, programs);
  const planned = await planAll(session);
  if (!planned.ok) return [{ key, state: 'unknown', reason: formatProblem(planned.error) }];
  const servers = planned.value;
  const none = withoutLimit(policy, session.limits.size);
  const isStale = servers.some(({ enabled, changes }) => enabled && changes.length > 0);
  if (none !== undefined)
    return [isStale ? { key, state: 'partly', ...differ, improve: sync } : none];
  const off = servers.filter(({ enabled }) => !enabled).map(({ server }) => server);
  if (off.length > 0) {
    const state = off.length === servers.length ? 'open' : 'partly';
    return [{ key, state, ...because('not enabled at', ...off), improve: enable }];
  }
  return [atSites(servers, refused)];
}

/** Returns the layer where entries are enabled at all servers that Bulkhead serves. */
function atSites(servers: readonly ServerEntries[], refused: string | undefined): Layer {
  const sites = servers.flatMap((each) => each.sites);
  const open = sites.filter(({ state }) => state === 'not enforced' || state === 'partly enforced');
  const old = servers.some(({ changes }) => changes.length > 0);
  const limited = sites.length - open.length;
  if (open.length > 0 || old)
    return {
      key,
      state: 'partly',
      ...(old ? differ : because('some sites', limited, sites.length)),
      improve: old ? sync : 'bulkhead web entries status',
    };
  if (refused !== undefined) return { key, state: 'partly', reason: refused };
  return { key, state: 'enforced', ...because('sites', sites.length) };
}

function withoutLimit(policy: Policy, limited: number): Layer | undefined {
  if (observesLimits(policy)) return { key, state: 'open', ...onlyObserved };
  const { tenants, defaults } = policy;
  const isForLater = tenants.length === 0 && defaults['entries.limit'] !== undefined;
  if (limited > 0 || isForLater) return undefined;
  const improve = 'bulkhead defaults set entries=20';
  return { key, state: 'open', ...because('no tenant has it'), improve };
}
