/** The values to write into the files of one cgroup: those that differ from the wanted ones. */
import { lowers, parseDeviceLines, valuesLike } from '../limits/flat-file.ts';
import type { FileSetting } from '../limits/limit.ts';
import type { ObservedCgroup } from './observed.ts';
import type { WriteFile } from './operations.ts';
import type { WantedCgroup } from './wanted.ts';

export function writesOf(
  cgroup: Omit<WantedCgroup, 'unit'>,
  found: ObservedCgroup | undefined,
): readonly WriteFile[] {
  const writes: WriteFile[] = [];
  const devices = new Map<string, ReadonlyMap<string, string>>();
  for (const setting of cgroup.settings) {
    const from =
      setting.device === undefined
        ? plainValue(setting, found)
        : deviceValue(setting, found, devices);
    if (from === setting.value) continue;
    if (setting.accepts?.((file) => found?.files.get(file)) === true) continue;
    writes.push(write(cgroup, setting, from));
  }
  // Disks outside the list may have an administrator's limits in a slice of which we set only some.
  if (cgroup.kind === 'outside') return writes;
  for (const [file, lines] of devices) writes.push(...forgottenDevices(cgroup, file, lines));
  return writes;
}

/** Returns the current value. A cgroup that does not exist yet will have the kernel's initial values. */
function plainValue(setting: FileSetting, found: ObservedCgroup | undefined): string | undefined {
  const text = found?.files.get(setting.file);
  if (text !== undefined) return text.trimEnd();
  return found === undefined || found.missing.length > 0 ? setting.initial : undefined;
}

function deviceValue(
  setting: FileSetting,
  found: ObservedCgroup | undefined,
  parsed: Map<string, ReadonlyMap<string, string>>,
): string {
  let lines = parsed.get(setting.file);
  if (lines === undefined) {
    lines = parseDeviceLines(found?.files.get(setting.file) ?? '');
    parsed.set(setting.file, lines);
  }
  return valuesLike(lines.get(setting.device ?? '') ?? setting.initial, setting.value);
}

/** Returns disks that still have limits but no longer carry tenants' files. */
function forgottenDevices(
  cgroup: Omit<WantedCgroup, 'unit'>,
  file: string,
  lines: ReadonlyMap<string, string>,
): readonly WriteFile[] {
  const settings = cgroup.settings.filter((each) => each.file === file);
  const [model] = settings;
  if (model === undefined || lines.size === 0) return [];
  const isWanted = (device: string) => settings.some((each) => each.device === device);
  return [...lines]
    .filter(
      ([device, value]) => !isWanted(device) && /^\d+:\d+$/.test(device) && value !== model.initial,
    )
    .map(([device, from]) =>
      write(
        cgroup,
        {
          ...model,
          device,
          value: model.initial,
          write: `${device} ${model.initial}`,
        },
        from,
      ),
    );
}

function write(
  cgroup: Omit<WantedCgroup, 'unit'>,
  setting: FileSetting,
  from: string | undefined,
): WriteFile {
  const lower = from === undefined || lowers(setting.file, from, setting.value);
  return {
    kind: 'write',
    cgroup: cgroup.path,
    label: cgroup.label,
    controller: setting.controller,
    attribute: setting.attribute,
    file: setting.file,
    from,
    to: setting.value,
    text: setting.write,
    direction: lower ? 'lower' : 'raise',
    ...(setting.device === undefined ? {} : { device: setting.device }),
    ...(setting.needs === undefined ? {} : { needs: setting.needs }),
    ...(setting.note === undefined || setting.value === setting.initial
      ? {}
      : { note: setting.note }),
  };
}
