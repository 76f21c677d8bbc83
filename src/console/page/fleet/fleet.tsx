/** Fleet: this host's part in it, and all hosts where this one is the centre. */
import type { FleetResponse } from '../../../agent/api/fleet-api.ts';
import type { FleetHostsResponse } from '../../../agent/api/fleet-hosts-api.ts';
import { CommandLine } from '../parts/command-line.tsx';
import { Answered, Empty } from '../parts/notes.tsx';
import { useAnswer } from '../state/answer.ts';
import { AllHosts } from './all-hosts.tsx';
import { OwnPart } from './own-part.tsx';
import { fleetWords } from './words.ts';

const ownSeconds = 10;
const hostsSeconds = 30;

export function Fleet() {
  const own = useAnswer<FleetResponse>('v1/fleet', {}, ownSeconds);
  const hosts = useAnswer<FleetHostsResponse>('v1/fleet/hosts', {}, hostsSeconds);
  const isMember = own.value !== undefined && own.value.state !== 'none';
  const isCentre = hosts.value?.isCentre === true;
  const isKnown = own.value !== undefined && hosts.value !== undefined;
  return (
    <>
      <Answered asked={own}>
        {(answer) => isMember && <OwnPart fleet={answer} again={own.again} />}
      </Answered>
      <Answered asked={hosts}>{(answer) => isCentre && <AllHosts all={answer} />}</Answered>
      {isKnown && !isMember && !isCentre && <NoFleet />}
    </>
  );
}

const NoFleet = () => (
  <Empty title={fleetWords.value.none}>
    <p>{fleetWords.value.noneHint}</p>
    <CommandLine command="bulkhead fleet join trust.json --host NAME" />
  </Empty>
);
