/** The processes of a member now, by program. Only root and the tenant itself see command lines. */
import type { LiveProcess, ProcessesResponse, TopRow } from '../../../agent/api/api.ts';
import { useAnswer } from '../state/answer.ts';
import { numbers } from '../state/language.ts';
import { words } from './words.ts';
import { memberPath } from '../state/member.ts';
import { Disclosure } from '../parts/dialog.tsx';
import { Answered } from '../parts/notes.tsx';

const refreshSeconds = 10;
const listedMax = 100;

export function ProcessesNow({ who }: { readonly who: TopRow }) {
  const asked = useAnswer<ProcessesResponse>(memberPath(who, 'processes'), {}, refreshSeconds);
  const { processes: texts } = words.value.tenant;
  const amount = asked.value === undefined ? '…' : numbers.value.number(asked.value.processCount);
  return (
    <section class="panel">
      <h2>{texts.title(amount)}</h2>
      <Answered asked={asked}>
        {({ processes, processCount }) =>
          processes.length === 0 ? (
            <p class="quiet">{texts.none}</p>
          ) : (
            <>
              <Programs processes={processes} />
              <Disclosure summary={texts.each}>
                <Each processes={processes.slice(0, listedMax)} all={processCount} />
              </Disclosure>
            </>
          )
        }
      </Answered>
    </section>
  );
}

function Programs({ processes }: { readonly processes: readonly LiveProcess[] }) {
  const { processes: texts } = words.value.tenant;
  const { number, percent, bytes } = numbers.value;
  const programs = [...Map.groupBy(processes, ({ name }) => name)];
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{texts.program}</th>
          <th scope="col" class="number">
            {texts.amount}
          </th>
          <th scope="col" class="number">
            {texts.cpu}
          </th>
          <th scope="col" class="number">
            {texts.memory}
          </th>
        </tr>
      </thead>
      <tbody>
        {programs.map(([name, each]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td class="number">{number(each.length)}</td>
            <td class="number">{percent(sum(each, ({ cpu = 0 }) => cpu))}</td>
            <td class="number">{bytes(sum(each, ({ memoryBytes }) => memoryBytes))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const sum = (all: readonly LiveProcess[], of: (each: LiveProcess) => number) =>
  all.reduce((total, each) => total + of(each), 0);

interface EachProps {
  readonly processes: readonly LiveProcess[];
  readonly all: number;
}

function Each({ processes, all }: EachProps) {
  const { processes: texts } = words.value.tenant;
  const { number, bytes, duration } = numbers.value;
  return (
    <>
      {processes.length < all && (
        <p class="quiet">{texts.shown(number(processes.length), number(all))}</p>
      )}
      <ul class="list">
        {processes.map(({ pid, name, command, memoryBytes, ageSeconds, request }) => (
          <li key={pid}>
            <code>{command ?? name}</code>
            <span class="quiet">
              {[
                `${texts.pid} ${pid}`,
                bytes(memoryBytes),
                ...(ageSeconds === undefined ? [] : [duration(ageSeconds)]),
                ...(request === undefined
                  ? []
                  : [texts.serves(`${request.method} ${request.path}`, duration(request.seconds))]),
              ].join(' · ')}
            </span>
          </li>
        ))}
      </ul>
    </>
  );
}
