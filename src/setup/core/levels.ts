/** How far a setup goes. Each level includes those before it. */
export const levels = ['observe', 'limit', 'isolate'] as const;
/**
 *     observe  measures, and limits nothing
 *     limit    sets limits, and places processes where they start
 *     isolate  keeps tenants apart, in jails and by the kernel
 */
export type Level = (typeof levels)[number];

/** Whether the level includes what the other one has. */
export const includes = (level: Level, other: Level): boolean =>
  levels.indexOf(level) >= levels.indexOf(other);
