/** The names that Bulkhead's own files define in nginx. They identify its directives. */
import type { Directive } from '../directive.ts';

/** The first part of the names of zones and variables. */
export const ownPrefix = 'bulkhead_';
export const pageLocation = '@bulkhead_508';
/** The name of our log format. Nobody else can use it, since nginx accepts a name once. */
export const ownFormat = 'bulkhead';

/** `limit_conn bulkhead_20 20`. */
export const isOwnLimit = ({ args }: Directive): boolean => args[0]?.startsWith(ownPrefix) === true;

/** `access_log syslog:… bulkhead if=$bulkhead_refused`. */
export const isOwnLog = ({ args }: Directive): boolean => args[1] === ownFormat;

export const isOwnDirective = (each: Directive): boolean => isOwnLimit(each) || isOwnLog(each);
