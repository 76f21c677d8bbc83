/**
 * The choice of tenants with a PHP-FPM service of their own. `bulkhead web fpm` writes it to
 * /etc/bulkhead/fpm/8.4/tenants.
 *
 *     all                 every tenant that has a pool, also those that come later
 *     except 1003         but not this one
 *     tenant 1001         this one
 *     own 1002            this one, with a pool of Bulkhead's making while it has none
 */

export interface ServiceChoice {
  readonly all: boolean;
  readonly except: ReadonlySet<number>;
  readonly tenants: ReadonlySet<number>;
  /** The `tenants` that had no pool. */
  readonly own: ReadonlySet<number>;
}

export const nobody: ServiceChoice = {
  all: false,
  except: new Set(),
  tenants: new Set(),
  own: new Set(),
};

export const isNobody = ({ all, tenants }: ServiceChoice): boolean => !all && tenants.size === 0;

export const isChosen = ({ all, except, tenants }: ServiceChoice, uid: number): boolean =>
  tenants.has(uid) || (all && !except.has(uid));

const header = '# Written by "bulkhead web fpm enable" and "disable".\n';

export function formatChoice({ all, except, tenants, own }: ServiceChoice): string {
  const sorted = (uids: ReadonlySet<number>) => [...uids].sort((a, b) => a - b);
  const lines = [
    ...(all ? ['all'] : []),
    ...sorted(except).map((uid) => `except ${uid}`),
    ...sorted(tenants).map((uid) => `${own.has(uid) ? 'own' : 'tenant'} ${uid}`),
  ];
  return `${header}${lines.map((line) => `${line}\n`).join('')}`;
}

const line = /^(?:(?<all>all)|(?<word>except|tenant|own) (?<uid>\d{1,10}))$/;

/** Parses the file. The error is the number of the line that is not understood. */
export function parseChoice(text: string): ServiceChoice | { readonly badLine: number } {
  let all = false;
  const sets = { except: new Set<number>(), tenant: new Set<number>(), own: new Set<number>() };
  for (const [index, each] of text.split('\n').entries()) {
    if (each === '' || each.startsWith('#')) continue;
    const groups = line.exec(each)?.groups;
    if (groups === undefined) return { badLine: index + 1 };
    if (groups['all'] !== undefined) all = true;
    else sets[groups['word'] as keyof typeof sets].add(Number(groups['uid']));
  }
  const { except, tenant, own } = sets;
  return { all, except, tenants: new Set([...tenant, ...own]), own };
}

export const choosingAll = ({ tenants, own }: ServiceChoice): ServiceChoice => ({
  all: true,
  except: new Set(),
  tenants,
  own,
});

export const choosing = (
  choice: ServiceChoice,
  uid: number,
  withoutPool: boolean,
): ServiceChoice => ({
  ...choice,
  except: without(choice.except, uid),
  tenants: new Set([...choice.tenants, uid]),
  own: withoutPool ? new Set([...choice.own, uid]) : choice.own,
});

export const leaving = (choice: ServiceChoice, uid: number): ServiceChoice => ({
  all: choice.all,
  except: choice.all ? new Set([...choice.except, uid]) : choice.except,
  tenants: without(choice.tenants, uid),
  own: without(choice.own, uid),
});

const without = (uids: ReadonlySet<number>, uid: number): ReadonlySet<number> =>
  new Set([...uids].filter((each) => each !== uid));
