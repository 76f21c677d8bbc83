/** Texts about each limit that was hit: the resource behind it, the effect on a tenant, and the advice. */
import type { LimitKey, Severity } from '../limits/limit.ts';

export type Resource = 'cpu' | 'memory' | 'read' | 'write' | 'disk' | 'processes' | 'other';

export interface Topic {
  readonly noun: string;
  readonly resource: Resource;
  readonly effect: Readonly<Partial<Record<Severity, string>>>;
  /** The things to try before raising the limit. */
  readonly advice: string;
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
  'entries.limit': {
    noun: 'entries',
    resource: 'other',
    effect: {
      refused:
        'The web server answered these requests with the status 508 and a page that says that the site is busy. Requests that were being served went on.',
    },
    advice:
      'Look for pages that take long, since each keeps its entry until it is done; for crawlers that send many requests at once; and for a cache in front of pages that are the same for everybody.',
  },
  'symlinks.guard': {
    noun: 'symbolic link',
    resource: 'other',
    effect: {
      refused:
        'The web server could not open what is behind these links, and answered with an error, such as "403 Forbidden". Nothing else was refused.',
      throttled:
        'The symlink guard only watches: the links were followed, and would have been refused if it were on.',
    },
    advice:
      'A link is followed if its owner also owns what it leads to. Look for links to files of the system or of other accounts, and for files that were copied as root; copying the file in place of the link helps, and so does a link that the administrator makes.',
  },
  'jail.isolation': {
    noun: 'jail',
    resource: 'other',
    effect: {
      refused:
        'The kernel refused these calls and nothing else: the programs saw "Operation not permitted" and went on as they were written to.',
    },
    advice:
      'Look at what the program is: an administrator who debugs as the tenant outside of the jail is refused too, and so is software that wants user namespaces, such as a sandbox or rootless containers. A program that nobody knows is a reason to look at the account.',
  },
  'io.read': disk('disk reading', 'read', lessReading),
  'io.reads': disk('disk reading', 'read', lessReading),
  'io.write': disk('disk writing', 'write', lessWriting),
  'io.writes': disk('disk writing', 'write', lessWriting),
  'io.total': disk('disk', 'disk', lessReading),
  'io.operations': disk('disk', 'disk', lessReading),
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
