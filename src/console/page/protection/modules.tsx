/** Kernel modules as the last scan judged them: how many of each trust level, and the reasons for each. */
import { useState } from 'preact/hooks';
import type {
  KeptModule,
  ModulesReport,
  ModulesResponse,
} from '../../../agent/responses/protection-response.ts';
import { Badge } from '../parts/badge.tsx';
import { chosenOf } from '../parts/chips.tsx';
import { CommandLine, shellWord } from '../parts/command-line.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { English } from '../parts/english.tsx';
import { Facts } from '../parts/facts.tsx';
import { Answered, Empty } from '../parts/notes.tsx';
import { SearchChips } from '../parts/search-chips.tsx';
import { Table, type Column } from '../table/table.tsx';
import { useAnswer } from '../state/answer.ts';
import { queryOf } from '../state/route.ts';
import { Kept } from './kept.tsx';
import { Problems } from './protection.tsx';
import { protectionWords } from './words.ts';

/** The worst first. */
const levels = ['contradicted', 'unsupported', 'consistent', 'signed', 'reproduced'] as const;
type Level = (typeof levels)[number];
const filters = ['all', 'rejected', ...levels] as const;

const badges = {
  contradicted: 'killed',
  unsupported: 'throttled',
  consistent: 'plain',
  signed: 'good',
  reproduced: 'good',
} as const satisfies Readonly<Record<Level, string>>;

export function Modules() {
  const asked = useAnswer<ModulesResponse>('v1/modules');
  const text = protectionWords.value;
  return (
    <Answered asked={asked}>
      {({ scan, problems }) => (
        <>
          <Problems problems={problems} />
          <Kept title={text.scan} command="bulkhead modules scan" kept={scan}>
            {(report) => <Scan report={report} />}
          </Kept>
        </>
      )}
    </Answered>
  );
}

const isRejected = ({ accepted, deniedReason }: KeptModule) =>
  accepted === false || deniedReason !== null;

function Scan({ report: { kernel, modules, unreadable } }: { readonly report: ModulesReport }) {
  const text = protectionWords.value;
  const [opened, setOpened] = useState<KeptModule | undefined>();
  const filter = chosenOf('level', filters);
  const search = queryOf('search').toLowerCase();
  const found = modules.filter(({ name }) => name.toLowerCase().includes(search));
  const passes = (each: KeptModule, key: (typeof filters)[number]) =>
    key === 'all' || (key === 'rejected' ? isRejected(each) : each.trustLevel === key);
  const choices = filters.map((key) => ({
    key,
    text: key === 'all' ? text.all : key === 'rejected' ? text.rejected : text.levels[key],
    count: found.filter((each) => passes(each, key)).length,
  }));
  return (
    <>
      <p>
        {text.scanned(modules.length, kernel)} {unreadable > 0 && text.unreadable(unreadable)}
      </p>
      <SearchChips
        search={text.searchModules}
        label={text.trustLevel}
        name="level"
        choices={choices}
      />
      <Table
        caption={text.scan}
        columns={columnsOf(setOpened)}
        rows={found.filter((each) => passes(each, filter))}
        keyOf={({ file }) => file}
        sort="level"
        filter={`${filter} ${search}`}
        empty={<Empty title={text.noModules} />}
      />
      {opened !== undefined && <Explanation module={opened} onClose={() => setOpened(undefined)} />}
    </>
  );
}

function columnsOf(open: (module: KeptModule) => void): readonly Column<KeptModule>[] {
  const text = protectionWords.value;
  const { columns } = text;
  return [
    {
      key: 'name',
      title: columns.name,
      parts: 1.4,
      value: ({ name }) => name,
      cell: (module) => (
        <>
          <button type="button" class="link name" onClick={() => open(module)}>
            {module.name}
          </button>
          <span class="second quiet">{module.package ?? ''}</span>
        </>
      ),
    },
    {
      key: 'level',
      title: columns.trustLevel,
      parts: 1.7,
      value: ({ trustLevel }) => String(levels.indexOf(trustLevel)),
      cell: ({ trustLevel }) => <Badge kind={badges[trustLevel]} text={text.levels[trustLevel]} />,
    },
    {
      key: 'verdict',
      title: columns.verdict,
      value: ({ verdict, taints }) => `${verdict} ${taints}`,
      cell: (module) => <span class="second">{verdictText(module)}</span>,
    },
    {
      key: 'claim',
      title: columns.claim,
      isWide: true,
      value: ({ license }) => license ?? '',
      cell: ({ license }) => <span class="second">{license ?? text.noLicense}</span>,
    },
    {
      key: 'evidence',
      title: columns.evidence,
      isWide: true,
      value: ({ evidence }) => evidence.length,
      cell: ({ evidence }) => evidence.length,
    },
    {
      key: 'loaded',
      title: columns.loaded,
      isWide: true,
      value: ({ isLoaded }) => (isLoaded === null ? 'unknown' : isLoaded ? 'a' : 'b'),
      cell: ({ isLoaded }) => loadedText(isLoaded),
    },
  ];
}

function loadedText(isLoaded: boolean | null): string {
  const text = protectionWords.value;
  if (isLoaded === null) return text.unknown;
  return isLoaded ? text.isLoaded : text.isNotLoaded;
}

function verdictText({ verdict, taints }: KeptModule): string {
  const text = protectionWords.value;
  if (verdict === 'refuse') return text.refuses;
  return taints === '' ? text.loads : text.loadsTainting(taints);
}

interface ExplanationProps {
  readonly module: KeptModule;
  readonly onClose: () => void;
}

function Explanation({ module, onClose }: ExplanationProps) {
  const text = protectionWords.value;
  const { name, evidence, reasons, accepted, deniedReason } = module;
  return (
    <Dialog title={name} onClose={onClose}>
      <p>
        <Badge kind={badges[module.trustLevel]} text={text.levels[module.trustLevel]} />{' '}
        {text.levelHints[module.trustLevel]}
      </p>
      <Facts
        facts={[
          { name: text.columns.verdict, value: verdictText(module) },
          { name: text.columns.claim, value: module.license ?? text.noLicense },
          { name: text.package, value: module.package ?? text.noPackage },
          { name: text.file, value: <code>{module.file}</code> },
          { name: text.columns.loaded, value: loadedText(module.isLoaded) },
          {
            name: text.requirement,
            value: accepted === null ? text.unknown : accepted ? text.met : text.notMet,
          },
          {
            name: text.denied,
            value: deniedReason === null ? undefined : <English>{deniedReason}</English>,
          },
        ]}
      />
      {reasons.length > 0 && (
        <>
          <h3>{text.whyRefused}</h3>
          <ul>
            {reasons.map((each, at) => (
              <li key={at}>
                <English>{each}</English>
              </li>
            ))}
          </ul>
        </>
      )}
      <h3>{text.columns.evidence}</h3>
      {evidence.length === 0 && <p>{text.noEvidence}</p>}
      <ul>
        {evidence.map(({ weight, message }, at) => (
          <li key={at}>
            <b>{text.weights[weight]}:</b> <English>{message}</English>
          </li>
        ))}
      </ul>
      <CommandLine command={`bulkhead modules explain ${shellWord(name)}`} label={text.more} />
    </Dialog>
  );
}
