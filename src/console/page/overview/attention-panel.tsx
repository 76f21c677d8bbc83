/** The list of what needs somebody: the state of the policy and of the agent, drift, and limits that are not enforced. */
import '../shell/chunk.ts';
import type { StatusResponse } from '../../../agent/api/status-response.ts';
import { English } from '../parts/english.tsx';
import { AttentionList, type AttentionItem } from './attention-list.tsx';
import { attentionWords } from './attention-words.ts';
import { driftText, type StatusProps } from './drift-text.ts';
import { weakItem } from './weak-limits.tsx';
import { words } from './words.ts';

const outsideMax = 100;

export function AttentionPanel({ status, overview }: StatusProps) {
  const { drift, weak = [] } = overview ?? {};
  const drifted =
    drift !== undefined && drift.differences > 0
      ? [{ title: driftText(drift), details: drift.lines.map(inEnglish) }]
      : [];
  return (
    <section class="panel">
      <h2>{attentionWords.value.title}</h2>
      <AttentionList items={[...drifted, ...attentionOf(status), ...weak.map(weakItem)]} />
    </section>
  );
}

const inEnglish = (text: string) => <English>{text}</English>;

function attentionOf({ policy, placement, history }: StatusResponse): readonly AttentionItem[] {
  const text = attentionWords.value;
  const items: readonly (AttentionItem | undefined)[] = [
    policy.state === 'in force' && policy.problems.length === 0
      ? undefined
      : { title: text.policyProblems[policy.state], details: policy.problems.map(inEnglish) },
    policy.notGoingBack === undefined
      ? undefined
      : { title: text.notGoingBack, details: listed(policy.notGoingBack) },
    placement.outside.length === 0
      ? undefined
      : {
          title: words.value.overview.outside(placement.outside.length),
          details: placement.outside.slice(0, outsideMax).map(({ pid, uid, reason }) => (
            <>
              {text.process(pid, uid)}: {inEnglish(reason)}
            </>
          )),
        },
    placement.unknown.length === 0
      ? undefined
      : { title: text.unknownOutside, details: placement.unknown.map(inEnglish) },
    placement.state !== 'off'
      ? undefined
      : { title: text.placementOff, details: listed(placement.problem) },
    history.state === 'on'
      ? undefined
      : { title: text.historyOff, details: listed(history.problem) },
  ];
  return items.filter((each) => each !== undefined);
}

const listed = (text: string | undefined) => (text === undefined ? [] : [inEnglish(text)]);
