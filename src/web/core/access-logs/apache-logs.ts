/**
 * The access logs of an Apache vhost.
 *
 *     LogFormat "%h %l %u %t \"%r\" %>s %O" combined
 *     CustomLog /var/log/apache2/shop.log combined
 *
 * A vhost with a CustomLog or TransferLog of its own does not write to the main server's logs.
 * Source: mod_log_config.c.
 */
import { fail } from '../../../../packages/base/result.ts';
import type { Directive } from '../directive.ts';
import { apacheCommon, apacheField, type FieldOrReason } from './log-format.ts';
import type { AccessLog, SiteLogs } from './site-logs.ts';

export interface ApacheLogging {
  readonly root: string;
  readonly formats: ReadonlyMap<string, FieldOrReason>;
  readonly logs: readonly AccessLog[];
}

export function apacheLogging(shared: readonly Directive[]): ApacheLogging {
  const root = shared.findLast(({ name }) => name === 'serverroot')?.args[0] ?? '';
  const formats = formatsOf(shared);
  return { root, formats, logs: logsAt(shared, { root, formats }) };
}

export function apacheSiteLogs(host: readonly Directive[], main: ApacheLogging): SiteLogs {
  const formats = new Map([...main.formats, ...formatsOf(host)]);
  const own = logsAt(host, { root: main.root, formats });
  return { levels: [own.length > 0 ? own : main.logs] };
}

/** The name of the format of a TransferLog. */
const unnamed = '';

const formatsOf = (block: readonly Directive[]): ReadonlyMap<string, FieldOrReason> =>
  new Map(
    block.flatMap(({ name, args: [text = '', nick = unnamed] }) =>
      name === 'logformat' ? [[nick, apacheField(text)] as const] : [],
    ),
  );

function logsAt(
  block: readonly Directive[],
  { root, formats }: Pick<ApacheLogging, 'root' | 'formats'>,
): readonly AccessLog[] {
  return block.flatMap(({ name, args: [path = '', format, condition] }): readonly AccessLog[] => {
    if (name !== 'customlog' && name !== 'transferlog') return [];
    const isPipe = path.startsWith('|');
    const whole = path.startsWith('/') || isPipe ? path : `${root}/${path}`;
    const named = formats.get(format ?? unnamed);
    const written = format?.includes('%') === true ? apacheField(format) : undefined;
    const field = named ?? written ?? (format === undefined ? apacheCommon : unknownFormat);
    if (isPipe) return [{ path: whole, field: fail('a program gets it') }];
    return [{ path: whole, field: condition === undefined ? field : someOnly }];
  });
}

const unknownFormat: FieldOrReason = fail('its format is not in the configuration');
const someOnly: FieldOrReason = fail('it has only some requests');
