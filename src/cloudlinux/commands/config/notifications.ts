/**
 * The alert rules of the policy in the shape of cloudlinux-config:
 *
 *     {"faultsToInclude": {"concurrentConnections": true, "cpu": true, "io": true, "iops": true, "mem": true,
 *      "nproc": true}, "minimumNumberOfFaultsToNotify": {"admin": 1}, "notify": {"admin": {"period": 12,
 *      "unitOfTime": "hours"}}, "notifyAdmin": true, "notifyCustomers": false, "notifyResellers": false}
 *
 * A rule may be more precise than this shape. Then the strictest one of a receiver's rules is shown.
 */
import type { LimitKey } from '../../../limits/limit.ts';
import type { AlertRule } from '../../../policy/settings.ts';

type Receiver = 'admin' | 'user' | 'reseller';

export interface NotificationPeriod {
  /** The minimum time between two messages. */
  readonly period: number;
  /** The unit of that time. */
  readonly unitOfTime: 'minutes' | 'hours' | 'days';
}

export interface FaultsNotification {
  /** Whether any rule is about the limit. */
  readonly faultsToInclude: {
    /** Entries. */
    readonly concurrentConnections: boolean;
    /** CPU time. */
    readonly cpu: boolean;
    /** Disk traffic. */
    readonly io: boolean;
    /** Disk operations. */
    readonly iops: boolean;
    /** Memory. */
    readonly mem: boolean;
    /** Processes. */
    readonly nproc: boolean;
  };
  /** The number of faults before a message, by receiver; a receiver without a rule is absent. */
  readonly minimumNumberOfFaultsToNotify: {
    /** Faults before a message to the administrator. */
    readonly admin?: number;
    /** Faults before a message to a tenant. */
    readonly user?: number;
    /** Faults before a message to a reseller. */
    readonly reseller?: number;
  };
  /** The time between two messages, by receiver; a receiver without a rule is absent. */
  readonly notify: {
    /** The time between two messages to the administrator. */
    readonly admin?: NotificationPeriod;
    /** The time between two messages to a tenant. */
    readonly user?: NotificationPeriod;
    /** The time between two messages to a reseller. */
    readonly reseller?: NotificationPeriod;
  };
  /** Whether a rule is for the administrator. */
  readonly notifyAdmin: boolean;
  /** Whether a rule is for tenants. */
  readonly notifyCustomers: boolean;
  /** Whether a rule is for resellers. */
  readonly notifyResellers: boolean;
}

const receivers: Readonly<Record<Receiver, AlertRule['to']>> = {
  admin: 'administrator',
  user: 'tenant',
  reseller: 'reseller',
};

export function faultsNotification(rules: readonly AlertRule[]): FaultsNotification {
  const isAbout = (...keys: readonly LimitKey[]) =>
    rules.some(({ limits }) => limits.length === 0 || keys.some((key) => limits.includes(key)));
  const rulesFor = (receiver: Receiver) => rules.filter(({ to }) => to === receivers[receiver]);
  return {
    faultsToInclude: {
      concurrentConnections: isAbout('entries.limit'),
      cpu: isAbout('cpu.limit'),
      io: isAbout('io.total', 'io.read', 'io.write'),
      iops: isAbout('io.operations', 'io.reads', 'io.writes'),
      mem: isAbout('memory.limit'),
      nproc: isAbout('processes.limit'),
    },
    minimumNumberOfFaultsToNotify: byReceiver(rulesFor, (found) =>
      Math.min(...found.map(({ faults }) => faults)),
    ),
    notify: byReceiver(rulesFor, (found) =>
      periodOf(Math.min(...found.map(({ everyMilliseconds }) => everyMilliseconds))),
    ),
    notifyAdmin: rulesFor('admin').length > 0,
    notifyCustomers: rulesFor('user').length > 0,
    notifyResellers: rulesFor('reseller').length > 0,
  };
}

function byReceiver<T>(
  rulesFor: (receiver: Receiver) => readonly AlertRule[],
  valueOf: (rules: readonly AlertRule[]) => T,
): Readonly<Partial<Record<Receiver, T>>> {
  return Object.fromEntries(
    (Object.keys(receivers) as Receiver[]).flatMap((receiver) => {
      const found = rulesFor(receiver);
      return found.length === 0 ? [] : [[receiver, valueOf(found)]];
    }),
  );
}

const units = [
  ['days', 86_400_000],
  ['hours', 3_600_000],
] as const;

/** Returns the time in the largest unit of which it is a whole number; the rest of a minute counts as one. */
function periodOf(milliseconds: number): NotificationPeriod {
  const [unitOfTime, length] = units.find(([, each]) => milliseconds % each === 0) ?? [
    'minutes' as const,
    60_000,
  ];
  return { period: Math.ceil(milliseconds / length), unitOfTime };
}
