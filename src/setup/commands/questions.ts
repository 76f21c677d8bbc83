/** The six questions of a setup. Enter accepts the default; a wrong answer is explained and asked again. */
import { createInterface } from 'node:readline/promises';
import { formatLimitSet, limitSet, limitSetNames } from '../core/limit-sets.ts';
import { checks, jailChoices, type Answers } from '../core/answers.ts';
import { hasPackages, hasVeCfg, veCfgPath, type HostLook } from '../core/look.ts';
import { print } from '../../cli/shared/output.ts';
import { count, listSome } from '../../../packages/base/list.ts';

interface Question {
  readonly name: keyof Answers;
  readonly text: (look: HostLook, answers: Answers) => readonly string[];
  readonly parse: (typed: string) => unknown;
}

const asTyped = (typed: string): unknown => typed;

const formatNames = (names: readonly string[]) => (names.length === 0 ? 'none' : listSome(names));

const questions: readonly Question[] = [
  {
    name: 'tenants',
    text: ({ accounts }, { except }) => [
      'Which accounts are tenants? A range of uids; accounts that are added later count, too.',
      `  now: ${formatNames(accounts.filter((each) => !except.includes(each)))}`,
      ...(except.length === 0 ? [] : [`  no tenants: ${listSome(except)}, who may become root`]),
    ],
    parse: asTyped,
  },
  {
    name: 'limits',
    text: (look) => [
      'Which limits does each tenant get? You can change them at any time.',
      ...limitSetNames.map((each) => `  ${each}: ${formatLimitSet(limitSet(each, look))}`),
      ...(hasVeCfg(look) ? [`  ve.cfg: the limits of CloudLinux, from ${veCfgPath}`] : []),
      ...(hasPackages(look)
        ? limitSetNames.map(
            (each) =>
              `  panel-${each}: each account follows its plan in ${look.packagesOf}, with the limits of that; ${each} for what plans do not limit`,
          )
        : []),
    ],
    parse: asTyped,
  },
  {
    name: 'entries',
    text: () => ['How many requests of a tenant are served at once? "none" for no such limit.'],
    parse: (typed) => (/^\d+$/.test(typed) ? Number(typed) : typed),
  },
  {
    name: 'jails',
    text: () => [
      `Who gets a jail, in which no other tenant can be seen? ${jailChoices.join(', ')}`,
    ],
    parse: asTyped,
  },
  {
    name: 'alerts',
    text: () => ['Who gets mail when limits are hit? An address or account; "none" for nobody.'],
    parse: asTyped,
  },
  {
    name: 'level',
    text: () => [
      'How far do you want to go?',
      '  observe: measure only, and limit nothing',
      '  limit: set limits, and place logins and PHP where they start',
      '  isolate: keep tenants apart, too; guards only report until "bulkhead setup next"',
    ],
    parse: asTyped,
  },
];

/** Asks for all answers; undefined if the terminal was closed. */
export async function askQuestions(
  look: HostLook,
  defaults: Answers,
): Promise<Answers | undefined> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  // Lines that come before their question are kept, too.
  const lines = terminal[Symbol.asyncIterator]();
  const typed = async (prompt: string): Promise<string> => {
    terminal.setPrompt(prompt);
    terminal.prompt();
    const next = await lines.next();
    if (next.done === true) throw new Error('The terminal was closed');
    return next.value.trim();
  };
  const given: Partial<Record<keyof Answers, unknown>> = {};
  try {
    for (const [index, question] of questions.entries()) {
      const answers = { ...defaults, ...given } as Answers;
      print(
        ['', `${index + 1} of ${questions.length}`, ...question.text(look, answers)].join('\n'),
      );
      given[question.name] = await ask(typed, question, answers);
    }
    return { ...defaults, ...given } as Answers;
  } catch {
    // Ctrl-C or Ctrl-D.
    return undefined;
  } finally {
    terminal.close();
  }
}

async function ask(
  typed: (prompt: string) => Promise<string>,
  question: Question,
  answers: Answers,
): Promise<unknown> {
  const fallback = answers[question.name];
  for (;;) {
    const line = await typed(`[${String(fallback)}] `);
    if (line === '') return fallback;
    const value = question.parse(line);
    const problem = checks[question.name](value);
    if (problem === undefined) return value;
    print(`That is not possible: it ${problem}`);
  }
}

function defaultLimits(look: HostLook): Answers['limits'] {
  return hasVeCfg(look) ? 've.cfg' : limitSetNames[0];
}

/** Returns answers that suit the host. */
export const defaultAnswers = (look: HostLook): Answers => ({
  level: 'limit',
  tenants: look.uids,
  except: look.administrators,
  limits: defaultLimits(look),
  entries: 20,
  jails: 'none',
  alerts: 'root',
});

/** Describes the answers in one line. */
export const formatAnswers = ({
  level,
  tenants,
  except,
  limits,
  entries,
  jails,
  alerts,
}: Answers) =>
  [
    `level ${level}`,
    `tenants ${tenants}${except.length === 0 ? '' : ` without ${count(except.length, 'account')}`}`,
    `limits ${limits}`,
    `entries ${entries}`,
    `jails ${jails}`,
    `alerts ${alerts}`,
  ].join(', ');
