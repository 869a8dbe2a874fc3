/** Scripts that people have: they give the same with either program behind the name. */
import { withoutName } from '../support/cli-run';
import { fillTable, tableOf } from '../support/cli-table';
import { TestNamespace } from '../support/netns';
import { OwnPath, runScript } from '../support/shell';

let path: OwnPath;

beforeAll(() => {
  path = new OwnPath();
});

afterEach(() => {
  TestNamespace.closeAll();
});

afterAll(() => {
  path[Symbol.dispose]();
});

/** Their output must not depend on the moment: no timeouts, no ids. */
const SCRIPTS: readonly (readonly [what: string, script: string])[] = [
  [
    'flows by source',
    `conntrack -L 2>/dev/null | awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^src=/) { print $i; break } }' | sort | uniq -c | sort -rn -k1,1 -k2,2`,
  ],
  ['how many are established', `conntrack -L 2>/dev/null | grep -c ESTABLISHED`],
  ['how many in all', `conntrack -L 2>/dev/null | wc -l; conntrack -C`],
  ['states of TCP', `conntrack -L -p tcp 2>/dev/null | awk '{print $4}' | sort | uniq -c`],
  ['the trailer', `conntrack -L -p udp 2>&1 >/dev/null | awk '{print $4, $5, $6, $7, $8, $9}'`],
  ['the version', `conntrack -V | grep -q conntrack-tools && echo yes`],
  [
    'is it there',
    `conntrack -G -p udp -s 10.0.0.4 -d 10.1.0.4 --sport 53 --dport 53 >/dev/null 2>&1 && echo there || echo gone`,
  ],
  [
    'is it there, of what is not',
    `conntrack -G -p udp -s 10.0.0.4 -d 10.1.0.9 --sport 53 --dport 53 >/dev/null 2>&1 && echo there || echo gone`,
  ],
  [
    'delete in a loop',
    `for p in 80 443 99; do conntrack -D -p tcp --dport $p >/dev/null 2>&1; echo $p $?; done`,
  ],
  [
    'delete until nothing is left',
    `while conntrack -D -p icmp >/dev/null 2>&1; do echo one; done; echo none`,
  ],
  [
    'nothing to delete, by its text',
    `conntrack -D -p tcp --dport 7777 2>&1 | grep -o '0 flow entries have been deleted'`,
  ],
  [
    'delete what awk finds',
    `conntrack -L -p udp 2>/dev/null | sed -n 's/.*src=\\(10[0-9.]*\\) dst=\\([0-9.]*\\) sport=\\([0-9]*\\) dport=5060.*/\\1 \\3/p' | sort -u | while read s p; do conntrack -D -p udp -s $s --sport $p >/dev/null 2>&1; echo $s $p $?; done`,
  ],
  [
    'flows without an answer',
    `conntrack -L 2>/dev/null | grep UNREPLIED | awk '{print $1}' | sort | uniq -c`,
  ],
  [
    'XML through a parser',
    `conntrack -L -o xml 2>/dev/null | python3 -c '
import sys, xml.etree.ElementTree as tree
flows = tree.fromstring(sys.stdin.read())
print(sorted(f.find("meta/layer4").get("protoname") for f in flows))'`,
  ],
  ['NAT to an address', `conntrack -L --src-nat 2>/dev/null | grep -o 'dst=192.0.2.1 ' | wc -l`],
  [
    'save and load',
    `conntrack -L -p udp -f ipv4 -w 0 -s 10.0.0.5 -o save 2>/dev/null | sed 's/-t [0-9]*/-t 999/' > $TMP; conntrack -D -p udp -s 10.0.0.5 -w 0 >/dev/null 2>&1; conntrack -R $TMP; echo $?; conntrack -L -p udp -s 10.0.0.5 2>/dev/null | wc -l`,
  ],
  ['load from a pipe', `echo '-D -p tcp' | conntrack -R - | wc -l`],
  ['counts by statistics', `conntrack -S | grep -o '^cpu=[0-9]*' | wc -l`],
  ['flush and look', `conntrack -F 2>&1 | sed 's/.*): //'; conntrack -C`],
];

test.each(SCRIPTS)('%s', (_what, script) => {
  const [theirs, ours] = [TestNamespace.create(), TestNamespace.create()];
  fillTable(theirs);
  fillTable(ours);
  const whole = `TMP=$(mktemp); ${script}\nrm -f $TMP`;
  const original = runScript(theirs, whole);
  const own = path.run(ours, whole);
  expect({ ...own, stderr: withoutName(own.stderr) }).toEqual({
    ...original,
    stderr: withoutName(original.stderr),
  });
  expect(own.stdout).not.toBe('');
  expect(tableOf(ours)).toEqual(tableOf(theirs));
});

test('lines of -E are counted the same', () => {
  const namespace = TestNamespace.create();
  namespace.sysctl('nf_conntrack_events', 1);
  // The listener has begun when it has seen a first flow; the last one ends it.
  const script = `
    conntrack -E -e NEW -p udp 2>/dev/null > $OUT & pid=$!
    for i in $(seq 200); do
      /usr/sbin/conntrack -I -s 1.1.1.1 -d 2.2.2.2 -p udp --sport $i --dport 1 -t 99 2>/dev/null
      grep -q dport=1 $OUT && break; sleep 0.05
    done
    for i in 1 2 3 4 5 6 7; do /usr/sbin/conntrack -I -s 1.1.1.1 -d 2.2.2.2 -p udp --sport $i --dport 2 -t 99 2>/dev/null; done
    for i in $(seq 200); do grep -q 'sport=7 dport=2' $OUT && break; sleep 0.05; done
    kill -TERM $pid; wait $pid; echo $?
    grep -c ' dport=2 ' $OUT`;
  const whole = `OUT=$(mktemp); ${script}\nrm -f $OUT`;
  const own = path.run(namespace, whole);
  namespace.exec('conntrack', ['-F']);
  expect(own.stdout).toBe(runScript(namespace, whole).stdout);
  expect(own.stdout).toBe('0\n7\n');
});
