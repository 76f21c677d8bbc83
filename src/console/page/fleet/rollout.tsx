/** The rollout of the published release: the last word of a controller, and what its hosts have made of it by wave. */
import { printable } from '../../../../packages/base/printable.ts';
import type { FleetHostsRollout, FleetWave } from '../../../agent/api/fleet-hosts-api.ts';
import { English } from '../parts/english.tsx';
import { ScrollingTable } from '../parts/scrolling-table.tsx';
import { numbers } from '../state/language.ts';
import { fleetWords } from './words.ts';

export function Rollout({ rollout }: { readonly rollout: FleetHostsRollout }) {
  const text = fleetWords.value;
  const { generation, waves } = rollout;
  const title = text.ofRelease(generation);
  return (
    <section class="panel">
      <h2>{title}</h2>
      <Word rollout={rollout} />
      <ScrollingTable label={title} headings={Object.values(text.waves)}>
        {waves
          .filter(({ hosts }) => hosts > 0)
          .map((wave) => (
            <Wave key={wave.wave} wave={wave} />
          ))}
      </ScrollingTable>
    </section>
  );
}

function Word({ rollout: { generation, record } }: { readonly rollout: FleetHostsRollout }) {
  const text = fleetWords.value;
  if (record === undefined) return <p>{text.notBegun}</p>;
  const isOfAnother = record.generation !== generation;
  return (
    <p>
      {isOfAnother && `${text.notBegun} ${text.ofAnother(record.generation)} `}
      <b>{text.verdicts[record.verdict]}</b>{' '}
      {!record.isFresh && (
        <span class="at-limit">
          {text.oldWord(numbers.value.dateTime(Date.parse(record.issued)))}{' '}
        </span>
      )}
      {record.reason !== undefined && <English>{printable(record.reason)}</English>}
    </p>
  );
}

function Wave({ wave }: { readonly wave: FleetWave }) {
  const text = fleetWords.value;
  const { number } = numbers.value;
  const { hosts, healthy, begun, failed, unknown } = wave;
  const left = Math.max(0, hosts - healthy - begun - failed - unknown);
  return (
    <tr>
      <th scope="row">{number(wave.wave)}</th>
      <td>{wave.isOpen ? text.yes : text.no}</td>
      <td>{number(hosts)}</td>
      <td>{number(healthy)}</td>
      <td>{number(begun)}</td>
      <td>{failed > 0 ? <b class="at-limit">{number(failed)}</b> : number(failed)}</td>
      <td>{number(unknown)}</td>
      <td>{number(left)}</td>
    </tr>
  );
}
