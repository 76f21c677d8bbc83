/** Writes the boot options that this host lacks: shows the exact change, asks once, and does it. */
import { formatProblem } from '../../../../packages/base/problem.ts';
import { exitCodes, type ExitCode } from '../../../cli/shared/command.ts';
import { failWith, print, printError, printJson } from '../../../cli/shared/output.ts';
import type { BootHost } from '../../../host/boot/boot-host.ts';
import type { Paths } from '../../../host/paths.ts';
import { readBootRecord } from '../../io/boot/boot-record-file.ts';
import { viewWith, type BootView } from '../../io/boot/boot-view.ts';
import { changeBoot, type BootChange, type BootPlan } from '../../io/boot/change-boot.ts';
import { loadersOf } from '../../io/boot/loaders/find-loader.ts';
import { undoBoot } from '../../io/boot/undo-boot.ts';
import type { SetupBootJson } from '../json.ts';
import { nobodyToAsk, type Ask, type BootOptions } from './ask.ts';
import { changeOf, optionJson, planFor, rewrittenFiles, shownFiles, toWrite } from './plan.ts';
import { printChange, printOptions } from './text.ts';
import { failedUndo, interruptedNote } from './undo.ts';

/** Nothing takes effect before that. */
const afterwards = 'It takes effect at the next reboot; then run: bulkhead setup';

export async function writeOptions(
  host: BootHost,
  paths: Paths,
  options: BootOptions,
  ask: Ask,
): Promise<ExitCode> {
  const notes: string[] = [];
  const read = readBootRecord(paths);
  if (!read.ok) return failWith(read.error);
  const isInterrupted = read.value?.state === 'started';
  if (isInterrupted && options.dryRun !== true) {
    const undone = undoBoot(host, paths, read.value);
    if (!undone.ok) return failWith(failedUndo(undone.error));
    notes.push(interruptedNote, ...undone.value);
  } else if (isInterrupted)
    notes.push('an earlier change was interrupted; it will be undone first');
  const view = viewWith(paths, isInterrupted ? read.value?.earlier : read.value);
  const wanted = toWrite(view, options.add ?? []);
  const report = new Report(host, view, options, notes);
  report.begin();
  if (wanted.length === 0) return report.end('nothing');
  const change = changeOf(wanted);
  const plan = planFor(host, change, view, options.loader);
  if (!plan.ok) return report.fails(change, formatProblem(plan.error));
  report.shows(plan.value, change);
  if (options.dryRun === true) return report.end('dry run');
  const answer = await ask('Write this? Nothing is rebooted.');
  if (answer === undefined) return nobodyToAsk('change boot options');
  if (!answer) return exitCodes.failed;
  return report.endsWith(changeBoot(host, paths, plan.value));
}

class Report {
  readonly #notes: string[];
  readonly #json: boolean;
  #value: SetupBootJson;

  constructor(host: BootHost, { states }: BootView, options: BootOptions, notes: string[]) {
    this.#notes = notes;
    this.#json = options.json === true;
    this.#value = {
      dryRun: options.dryRun === true,
      undo: false,
      loader: null,
      loaders: loadersOf(host).map(({ name }) => name),
      options: states.map(optionJson),
      words: [],
      files: [],
      commands: [],
      rewritten: [],
      changed: false,
      notes,
    };
  }

  begin(): void {
    if (this.#json) return;
    for (const each of this.#notes) printError(each);
    printOptions(this.#value.options);
  }

  shows(plan: BootPlan, change: BootChange): void {
    const { loader, commands } = plan;
    const shown = { files: shownFiles(plan), commands, rewritten: rewrittenFiles(plan) };
    const { words } = change;
    this.#value = { ...this.#value, loader: loader?.name ?? null, words, ...shown };
    if (this.#json) return;
    const title = `The change${loader === undefined ? '' : ` (${loader.title})`}:`;
    printChange({ title, ...shown });
  }

  /** The words are what people need if they have to add them themselves. */
  fails({ words }: BootChange, reason: string): ExitCode {
    this.#value = { ...this.#value, words };
    if (this.#json) printJson({ ...this.#value, notes: [...this.#notes, reason] });
    else if (words.length > 0) print(`\nFor the kernel command line: ${words.join(' ')}`);
    return failWith(reason);
  }

  end(how: 'nothing' | 'dry run'): ExitCode {
    if (this.#json) printJson(this.#value);
    else if (how === 'dry run') print('\nNothing was changed');
    else print(`\n${this.#nothingToDo()}`);
    return exitCodes.done;
  }

  #nothingToDo(): string {
    const isWritten = this.#value.options.some(({ state }) => state === 'at next reboot');
    return isWritten ? `All is written. ${afterwards}` : 'No boot option is to be written';
  }

  endsWith(done: ReturnType<typeof changeBoot>): ExitCode {
    if (!done.ok) return this.#failed(formatProblem(done.error));
    this.#notes.push(...done.value);
    if (this.#json) printJson({ ...this.#value, changed: true });
    else print(`${done.value.map((each) => `Note: ${each}\n`).join('')}\nWritten. ${afterwards}`);
    return exitCodes.done;
  }

  #failed(reason: string): ExitCode {
    if (this.#json) printJson({ ...this.#value, notes: [...this.#notes, reason] });
    return failWith(reason);
  }
}
