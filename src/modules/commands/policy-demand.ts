/**
 * The policy's requirements for modules; a file of its own, since the policy code takes longer to
 * load than a scan.
 */
import type { PolicyReader } from '../../apply/load-policy.ts';
import type { Paths } from '../../host/paths.ts';
import { readPolicyFile } from '../../host/policy-file.ts';
import type { ModulesElement } from '../../policy/document.ts';
import { parseModulesElement } from '../../policy/parse.ts';
import { formatProblem } from '../../../packages/base/problem.ts';
import { printError, showDiagnostics } from '../../cli/shared/output.ts';

type Demanded = Pick<ModulesElement, 'require' | 'deny'>;

/** Returns the policy's requirements for modules; undefined after its errors have been printed. */
export function modulesOf(reader: PolicyReader, file: string, paths: Paths): Demanded | undefined {
  const read = readPolicyFile(file);
  if (!read.ok) {
    printError(formatProblem(read.error));
    return undefined;
  }
  const { modules, diagnostics } = parseModulesElement(file, read.value);
  if (diagnostics.failed) {
    showDiagnostics(diagnostics.list, 'error');
    printError(`${file} has errors; what it requires of modules is not known`);
    return undefined;
  }
  const { policy, document } = reader.load(file, paths);
  if (policy === undefined && document?.fleet?.settings.host !== undefined) {
    printError(
      `${file} or its fleet's policy has errors; what they require of modules is not known`,
    );
    return undefined;
  }
  if (policy === undefined) {
    printError(
      `${file} has errors, but not in what it requires of modules; "bulkhead check" lists them`,
    );
  }
  const demanded = document?.merged === undefined ? modules : document.modules;
  return demanded ?? { require: undefined, deny: [] };
}
