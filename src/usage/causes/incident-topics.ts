/**
 * Texts about each limit that was hit: the resource behind it, the effect on a tenant, and the advice. Capabilities
 * have the texts about theirs (`IncidentKind`).
 */
import type { LimitKey, Severity } from '../../limits/limit.ts';

export type Resource = 'cpu' | 'memory' | 'read' | 'write' | 'disk' | 'processes' | 'other';

export interface Topic {
  readonly noun: string;
  readonly resource: Resource;
  readonly effect: Readonly<Partial<Record<Severity, string>>>;
  /** The things to try before raising the limit. */
  readonly advice: string;
  /** The words for an ending at the limit, if something other than a process ends. */
  readonly killed?: string;
}

const slowDisk = {
  throttled:
    'Reading and writing files took longer, and so did pages and scripts that wait for files or a database. Nothing failed.',
};
const disk = (noun: string, resource: Resource, advice: string): Topic => ({
  noun,
  resource,
  effect: slowDisk,
  advice,
});
const lessReading =
  'Look for backups, scripts that search all files, and database queries without an index; data that is cached in memory need not be read again.';
const lessWriting =
  'Look for verbose logs, backups, and caches or sessions on disk that are rewritten with each request.';
const slowStatements =
  'Look for statements that read whole tables: an index, or a cache in front of the page, helps most. The incident shows those that took the longest.';

export const topics: Readonly<Partial<Record<LimitKey, Topic>>> = {
  'cpu.limit': {
    noun: 'CPU',
    resource: 'cpu',
    effect: {
      throttled:
        'Each time, its programs waited for the rest of a tenth of a second. Pages and scripts took longer; nothing failed.',
    },
    advice:
      'Look first at what used the most: a script stuck in a loop, a page that could be cached, a crawler that sends too many requests, a job that could run at night.',
  },
  'memory.limit': {
    noun: 'memory',
    resource: 'memory',
    effect: {
      throttled:
        'Its programs had to wait while the kernel reclaimed memory. Pages and scripts took longer; nothing was killed.',
      killed:
        'At the limit the kernel killed a process to free memory. Visitors may have seen an error from the web server, and a job that was running may be incomplete.',
    },
    advice:
      'Fewer processes at once need less memory (pm.max_children of php-fpm, the workers of the application), and so do processes that may use less each (memory_limit of PHP).',
  },
  'processes.limit': {
    noun: 'process',
    resource: 'processes',
    effect: {
      refused:
        'New processes and threads could not be started: visitors may have seen an error from the web server, and shells print "Resource temporarily unavailable". Processes that were running continued.',
    },
    advice:
      'Look for jobs that pile up because each starts before the previous one has finished, and for workers that never exit.',
  },
  'io.read': disk('disk reading', 'read', lessReading),
  'io.reads': disk('disk reading', 'read', lessReading),
  'io.write': disk('disk writing', 'write', lessWriting),
  'io.writes': disk('disk writing', 'write', lessWriting),
  'io.total': disk('disk', 'disk', lessReading),
  'io.operations': disk('disk', 'disk', lessReading),
  'database.cpu': {
    noun: 'database CPU',
    resource: 'other',
    effect: {
      throttled:
        'Its programs were paused, for at most a second at a time, until its database statements had used no more than their share. Pages took longer; nothing failed.',
      observed:
        'If the limit were enforced, its programs would have been paused, for at most a second at a time.',
    },
    advice: slowStatements,
  },
  'database.connections': {
    noun: 'database connection',
    resource: 'other',
    effect: {
      refused:
        'It had more connections open than its number. Those above it were closed, idle ones first, which its programs see as an error.',
      observed:
        'If the limit were enforced, connections above it would have been closed, idle ones first, which its programs see as an error.',
    },
    advice:
      'Look for programs that keep connections open without using them, and for slow pages that make visitors wait at once.',
  },
  'database.statement': {
    noun: 'database statement',
    resource: 'other',
    killed: 'database statements ended',
    effect: {
      killed:
        'A statement that ran for too long was ended, which its program sees as an error. What it had changed was taken back.',
    },
    advice: slowStatements,
  },
  'database.transaction': {
    noun: 'database transaction',
    resource: 'other',
    killed: 'database connections closed',
    effect: {
      killed:
        'A connection that waited for too long in an open transaction was closed. What the transaction had changed was taken back.',
    },
    advice:
      'Look for programs that begin a transaction and then wait for something else, such as mail or another server.',
  },
  'network.send': {
    noun: 'network sending',
    resource: 'other',
    effect: {
      throttled:
        'Its packets waited to stay within the rate. Transfers took longer; datagrams may have been lost.',
    },
    advice:
      'Look for large downloads, backups to other hosts, and images that could be smaller. Pages that the web server sends are not in this figure.',
  },
  'network.receive': {
    noun: 'network receiving',
    resource: 'other',
    effect: {
      throttled:
        'The senders were slowed down: packets above the rate were dropped and sent again. Transfers took longer.',
    },
    advice:
      'Look for imports and backups that fetch large files, and for jobs that could run at night.',
  },
  'network.connections': {
    noun: 'network connection',
    resource: 'other',
    effect: {
      refused:
        'Connections above the limit failed: the program got the error "Operation not permitted". Open connections went on.',
    },
    advice:
      'Look for programs that open a connection for each of many small requests. Connections to many addresses are a sign of a hacked account that scans other hosts.',
  },
};

/** Returns the texts for a limit without a row above. */
export const otherTopic = (limit: LimitKey): Topic => ({
  noun: limit.replace('.limit', '').replace('.', ' '),
  resource: 'other',
  effect: {
    throttled: 'Its programs took longer; nothing failed.',
    refused: 'A request to the kernel was refused, which its programs see as an error.',
    killed: 'One of its processes was killed.',
  },
  advice: '',
});
