/** What two others make of a table: conntrack(8) in lines, libnetfilter_conntrack in attributes. */
import { listByCli } from './cli';
import { MessageType } from './ctnetlink';
import type { TestNamespace } from './netns';
import { testing, type OraclePeek } from './testing';

/** What changes without anybody's doing: seconds left, references, and the id. */
function settled(line: string): string {
  return line
    .replace(/ +/g, ' ')
    .replace(/^(\S+ \d+ \S+ \d+) \d+/, '$1')
    .replace(/ use=\d+/, '')
    .replace(/ id=\d+(?= labels|$)/, '')
    .trim();
}

/** The lines of `conntrack -L -o extended,labels`, sorted, without timeouts, references and ids. */
export function shownByCli(namespace: TestNamespace, filter: readonly string[] = []): string[] {
  return listByCli(namespace, filter)
    .map(({ line }) => settled(line))
    .sort();
}

/** Every flow of the table, as libnetfilter_conntrack reads it. */
export function peeksOf(namespace: TestNamespace): OraclePeek[] {
  const capture = namespace.run(() => new testing.NetlinkCapture([]));
  try {
    return capture.dump(MessageType.ctGet).map((message) => testing.oraclePeek(message));
  } finally {
    capture.close();
  }
}

/** The only flow of the table, as libnetfilter_conntrack reads it. */
export function onlyPeek(namespace: TestNamespace): OraclePeek {
  const peeks = peeksOf(namespace);
  if (peeks.length !== 1) throw new Error(`${peeks.length} flows where one was expected`);
  return peeks[0]!;
}

/** A rule that uses labels: flows made from then on have room for them. */
export function useLabels(namespace: TestNamespace): void {
  namespace.nft(`
    table inet labelled {
      chain forward { type filter hook forward priority 0; ct label set 1; }
    }`);
}
