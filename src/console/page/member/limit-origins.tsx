/** The limits of a tenant or a site, and what sets each. */
import type { ExplainResponse, TopRow } from '../../../agent/api/api.ts';
import { useState } from 'preact/hooks';
import type { LimitKey } from '../../../limits/limit.ts';
import { useAnswer } from '../state/answer.ts';
import { limitWords } from '../state/language.ts';
import { words } from './words.ts';
import { role } from '../state/live.ts';
import { memberPath } from '../state/member.ts';
import { CommandLine, shellWord } from '../parts/command-line.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Answered } from '../parts/notes.tsx';

export function LimitOrigins({ who }: { readonly who: TopRow }) {
  const [isOpen, setOpen] = useState(false);
  const { origins } = words.value.tenant;
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>
        {origins.open}
      </button>
      {isOpen && (
        <Dialog title={origins.title(who.name)} onClose={() => setOpen(false)}>
          <Origins who={who} />
        </Dialog>
      )}
    </>
  );
}

function Origins({ who }: { readonly who: TopRow }) {
  const asked = useAnswer<ExplainResponse>(memberPath(who, 'limits'));
  const { origins } = words.value.tenant;
  return (
    <Answered asked={asked}>
      {({ file, limits, observed }) => (
        <>
          {observed === true && <p>{origins.observed}</p>}
          <table>
            <thead>
              <tr>
                <th scope="col">{origins.limit}</th>
                <th scope="col">{origins.value}</th>
                <th scope="col">{origins.from}</th>
              </tr>
            </thead>
            <tbody>
              {limits.map(({ limit, value, origin, line, bound, file: where = file }) => (
                <tr key={limit}>
                  <th scope="row">{limitWords(keyOf(limit))}</th>
                  <td>
                    {value}
                    {bound !== undefined && <span class="line quiet">{origins.bound(bound)}</span>}
                  </td>
                  <td>
                    {origin === undefined
                      ? origins.notSet
                      : origins.kinds[origin.kind](origin.name)}
                    {line !== undefined && role.value === 'root' && (
                      <span class="line quiet">{origins.line(where, line)}</span>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          <CommandLine command={`bulkhead explain ${shellWord(who.name)}`} />
        </>
      )}
    </Answered>
  );
}

/** Returns the key of a limit that the answer writes as `cpu limit`. */
const keyOf = (limit: string) => limit.replace(' ', '.') as LimitKey;
